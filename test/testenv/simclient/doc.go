// Package simclient simulates Nomad clients: each registers with a server over Nomad's RPC, sends
// heartbeats, and reports the allocations placed on it as running and healthy, later as complete, without
// running anything. One process plays hundreds of them, at about 0.1 MB each.
//
// It speaks the protocol of Nomad 1.11 without importing Nomad: requests are maps keyed by the names of the
// fields. What a real client does beyond that (fingerprints, drivers, streaming RPCs) is absent, and an
// allocation ends only when it is told to.
//
// Real or stand-in: a stand-in for Nomad's clients, against a real server or the stand-in. May not enter: modules of
// Nomad.
package simclient
