// Package condition makes conditions for both decisions, internal/pool and internal/member: a Problem, and metav1's
// Condition without the type and the times, which the writer adds.
//
// A caller must not read a reason or a message to decide by it: they are for people. What a decision needs belongs into
// internal/nodestate.
package condition
