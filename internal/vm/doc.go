// Package vm makes a member's VirtualMachine as Harvester's own UI would: its disks, its networks, and the template's
// overlay, which may change everything but the protected fields, on which the controller and Harvester depend.
//
// It is pure: the same member and facts give the same object. Nothing may enter that reads the cluster, or that knows
// what is in the guest.
package vm
