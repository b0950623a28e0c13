// Package pool decides what a pool does: how many members to make, of which to request a drain, which drains to cancel,
// and which conditions to show. It is pure: the same Snapshot gives the same Plan.
//
// One policy, one file: scale-out, scale-in, rollout, repair, replacement. A policy reads the subsets of members that
// it needs from the index, which visits the snapshot once; a subset that a policy computes for itself belongs there.
//
// What may not enter: clocks, clients, goroutines and random numbers; objects of Kubernetes, but for the pool's own
// specs and reasons; anything of a VM or a Nomad node beyond what a Member holds (MemberOf). Whoever observes a pool
// and carries the plan out is in controllers/pool.
package pool
