// Package node is the shell around internal/member: it observes one member, takes the next step of its life and
// reports.
package node
