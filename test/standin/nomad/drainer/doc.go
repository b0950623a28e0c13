// Package drainer decides what becomes of the allocations of nodes that drain, as Nomad's drainer does, quirks
// included. It has no clock and does nothing itself: its caller says what there is and what time it is, and does what
// is decided.
//
// The stand-in's server drives it by the clock, and the simulator (test/sim) by its own.
//
// Real or stand-in: a part of the stand-in. May not enter: a clock, and state of its own.
package drainer
