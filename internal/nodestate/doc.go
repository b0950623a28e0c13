// Package nodestate is the one read model of a member. It turns a NomadNode, its VM and instance, and its Nomad node
// and allocations into one typed State. Both controllers decide from that State alone.
//
// Only this package reads a NomadNode's status to decide something. It is pure: no clock, no client and no goroutine
// may enter, and no decision by the reason or the message of a condition: those are for people.
package nodestate
