// Package member decides the life of one member of a pool. From a member's state it names the next step (Next), and
// the phase, the conditions and the times to write into its status (Describe).
//
// It is pure: a caller passes the state with the time in it and takes the step. No clock, no client, no goroutine and
// no reading of a NomadNode's status may enter: internal/nodestate reads that. A decision must not depend on the
// reason or the message of a condition, because those are for people.
package member
