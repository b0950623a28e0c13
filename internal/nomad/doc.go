// Package nomad is what the controllers know of Nomad and may ask of it: a narrow client, and one shared watcher per
// Nomad cluster. It knows nothing of Kubernetes. How a cluster is it tells as a Health, which controllers/nomadlink
// puts into words; where addresses and credentials come from is decided there, too.
//
// However many pools and members point to a cluster, the load on it stays the same: one filtered, blocking list of
// nodes, one list of allocations while something drains, and one look at the token every few minutes and before a
// node counts as empty. What they saw is kept as a View and an AllocationsView, together with when it was seen, so
// that the deciding code can tell "is not there" from "was not asked".
//
// The event stream is left alone on purpose: Nomad sends no event when a node is purged or collected as garbage
// (Nomad: nomad/state/state_store.go, DeleteNode writes without events), keeps only the last hundred transactions and
// does not say when it skipped some.
package nomad
