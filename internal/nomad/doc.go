// Package nomad is what the controllers know of Nomad and may ask of it: a narrow client, and one shared watcher per
// Nomad cluster. It reports the state of a cluster as a Health.
//
// However many pools and members point to a cluster, the load on it stays the same: one filtered, blocking list of
// nodes, one list of allocations while something drains, and one check of the token every few minutes and before a node
// counts as empty. The results are kept as a View and an AllocationsView with the time of the request, so that the
// deciding code can distinguish "is not there" from "was not asked".
//
// The event stream is left alone on purpose: Nomad sends no event when a node is purged or collected as garbage
// (Nomad: nomad/state/state_store.go, DeleteNode writes without events), keeps only the last hundred transactions and
// does not say when it skipped some.
//
// Nothing of Kubernetes may enter, no type and no word: controllers/nomadlink decides where addresses and credentials
// come from and what conditions say about a Health. What to do with a node is decided in internal/member.
package nomad
