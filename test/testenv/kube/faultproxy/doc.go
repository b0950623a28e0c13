// Package faultproxy is a reverse proxy in front of an API server that misbehaves on demand: it delays
// requests, refuses them, or lets them happen and loses the answer.
//
// Real or stand-in: it is in the place of a network between real programs. May not enter: knowledge of what the
// requests are about.
package faultproxy
