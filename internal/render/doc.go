// Package render makes the objects of a member: its Secret, of package cloudinit, and its VM, of package vm, once
// package preflight has found no problem. Its tests check the objects as a whole against what Harvester requires.
//
// It is pure. How a single object looks is decided in those packages and may not be decided here.
package render
