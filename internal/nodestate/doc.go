// Package nodestate is the one read model of a member: it makes of a NomadNode, its VM and instance, and its Nomad
// node and allocations one typed State. Both controllers decide from it alone. It is pure: no clock, no client, no
// goroutine.
//
// Nobody else reads what a NomadNode's status says, and nobody decides by the reason or the message of a condition:
// those are for people.
package nodestate
