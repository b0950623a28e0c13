// Package pool is the controller of pools: it observes one pool, has internal/pool plan, carries the plan out, writes
// the status once, and then emits Events and metrics.
//
// What may not enter: decisions, which are internal/pool's; anything that touches a VM or changes a Nomad node, which
// the controller of members does (controllers/node); the reading of a NomadNode's status, which is
// internal/nodestate's. Events are worded in events.go alone.
package pool
