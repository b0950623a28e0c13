// Package vm is a member's VirtualMachine, the way Harvester's own UI would have made it: its disks, its networks, and
// the template's overlay, which may change everything but what the controller and Harvester depend on.
//
// It is pure: the same member and facts give the same object. Nothing enters that reads the cluster, or that knows what
// is in the guest.
package vm
