// Package member decides the life of one member of a pool: from its state it names the next step, the phase and the
// conditions. It is pure: no clock, no client, no goroutine.
package member
