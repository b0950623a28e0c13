// Package state holds what the stand-in's server knows: an in-memory database with the indexes of Nomad's raft log,
// which a file makes outlive the process.
//
// What is stored is never changed: whoever wants it different copies it and puts the copy.
//
// Real or stand-in: a part of the stand-in. May not enter: decisions: it keeps what others have decided.
package state
