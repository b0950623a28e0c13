// Package pool is the shell around internal/pool: it observes one pool, does what is to be done about it and reports.
// No VM is touched here.
package pool
