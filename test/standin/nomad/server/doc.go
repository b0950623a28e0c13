// Package server is the stand-in's server: it ties the state to scheduler, drainer and heartbeats, and offers what
// the HTTP API and the clients' RPC change and ask for. Behaviour is that of Nomad 1.11 as the project's facts about
// Nomad have it.
//
// Real or stand-in: a part of the stand-in. May not enter: source or modules of Nomad but nomad/api, and knowledge of
// the product.
package server
