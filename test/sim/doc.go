// Package sim is a deterministic world in one process, in which the real reconcilers and the real pure cores live: an
// API server with optimistic concurrency and caches that lag, KubeVirt on a few hosts, Harvester's disks, Nomad with
// the quirks of its drainer, an operator and an autoscaler that do things, and a virtual clock.
//
// A seed makes a schedule: who runs when, what fails, who dies where. After each write the invariants of the design are
// checked; in the end the faults stop and the world must come to rest as it was asked for. The same seed gives the same
// schedule, to the letter: nothing here may depend on the clock, on the order of a map, or on the order of goroutines.
package sim
