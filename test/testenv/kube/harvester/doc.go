// Package harvester runs harvester-lite on a loopback control plane: Harvester's own admission handlers and
// VM controllers in one process, with a stand-in for its storage that marks claims Bound.
//
// Real or stand-in: real, but for the storage. May not enter: copies of Harvester's rules: its own code has to judge.
package harvester
