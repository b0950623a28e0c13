// Package scheduler decides which allocations a job gets, keeps and loses, as Nomad's schedulers do. It has no clock
// and changes nothing: its caller says what there is and what time it is, and does what is decided.
//
// The stand-in's server drives it by the clock, and the simulator (test/sim) by its own.
//
// Real or stand-in: a part of the stand-in. May not enter: a clock, and state of its own.
package scheduler
