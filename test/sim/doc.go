// Package sim is a deterministic environment in one process, in which the real reconcilers and the real pure decisions
// run: an API server with optimistic concurrency and caches that lag, KubeVirt on a few hosts, Harvester's disks, two
// Nomads, an operator and an autoscaler that do things, and a virtual clock.
//
// The scheduler and the drainer of the Nomads, with the drainer's faults, are those of the stand-in for Nomad
// (test/standin/nomad), which the contract compares with Nomad; here they run by the virtual clock, late by chance.
//
// The two Nomads know nothing of each other, and each has nodes, jobs, outages and leaders. A guest joins the one whose
// servers are in the user data of its first boot. In some schedules an operator moves the pool from one to the other
// while members boot, work and drain, or has the pool, or all that names no address, ask the wrong one for a while. A
// check looks for a member's node in both, and a controller may write only to the one that the member's guest joins.
//
// A seed makes a schedule: who runs when, what fails, who dies where. After each write the invariants of the design are
// checked; in the end the faults stop and the environment must come to rest as it was asked for. The same seed gives
// the same schedule, to the letter.
//
// What may not enter: the real clock, the order of a map, the order of goroutines, the network and the file system;
// random numbers other than those of a named stream (chance); and decisions of the product's own: what the controllers
// do is done by the controllers, and a check derives what is right from what happened, not from their code.
package sim
