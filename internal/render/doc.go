// Package render makes the objects of a member: its Secret, of package cloudinit, and its VM, of package vm, once
// package preflight has found no problem. Here they are tested as a whole, against what Harvester wants.
//
// It is pure. How one of the objects looks is decided in the packages below.
package render
