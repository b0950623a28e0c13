// Package httpapi is the HTTP API of the stand-in for Nomad, as nomad/api speaks it: reads that block until something
// changed, lists in pages and filtered, writes, streams, errors in Nomad's words.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package httpapi
