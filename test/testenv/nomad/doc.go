// Package nomad runs a Nomad server, of the user's Nomad or the stand-in, and a real Nomad Autoscaler agent on
// loopback for the test environment.
//
// Both are the unmodified upstream programs; what differs from production is their configuration, which is
// made for speed: heartbeats of a second, one server, every listener on 127.0.0.1. FakePrometheus is the
// only stand-in here, and is named as one.
//
// Real or stand-in: real programs, or the stand-in for Nomad's server. May not enter: patches of what runs: only
// configuration makes a difference.
package nomad
