// Package httpapi is the HTTP API of the stand-in for Nomad, as nomad/api speaks it: reads that block until something
// changed, lists in pages and filtered, writes, streams, errors in Nomad's words.
package httpapi
