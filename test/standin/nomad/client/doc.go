// Package client is the stand-in's client agent: it registers a node, keeps it alive, and runs what the servers place
// there, as the client of Nomad 1.11 does.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package client
