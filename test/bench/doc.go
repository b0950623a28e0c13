// Command bench measures how fast the controller is, in one test environment and within one run, beside a bare loop
// that writes the same objects and beside KubeVirt's own VirtualMachinePool. docs/performance.md explains each row.
//
//	go run ./test/bench                      every row; make bench
//	go run ./test/bench -rows P1,P12 -runs 1 some of them, once
//
// Real or stand-in: everything that is timed is real but Nomad, where the user has none, and the guests, which are
// simulated. May not enter: figures of another run.
package main
