// Package scheduler decides which allocations a job gets, keeps and loses, as Nomad's schedulers do. It has no clock
// and changes nothing: its caller says what there is and what time it is, and does what is decided.
//
// Real or stand-in: a part of the stand-in. May not enter: a clock, and state of its own.
package scheduler
