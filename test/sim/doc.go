// Package sim is a deterministic environment in one process, in which the real reconcilers and the real pure decisions
// run: an API server with optimistic concurrency and caches that lag, KubeVirt on a few hosts, Harvester's disks, Nomad
// with the quirks of its drainer, an operator and an autoscaler that do things, and a virtual clock.
//
// A seed makes a schedule: who runs when, what fails, who dies where. After each write the invariants of the design are
// checked; in the end the faults stop and the environment must come to rest as it was asked for. The same seed gives
// the same schedule, to the letter.
//
// What may not enter: the real clock, the order of a map, the order of goroutines, the network and the file system;
// random numbers other than those of a named stream (chance); and decisions of the product's own: what the controllers
// do is done by the controllers, and a check derives what is right from what happened, not from their code.
package sim
