// Package binaries provides the programs the test environment runs: etcd, the
// Kubernetes and KubeVirt control planes, Harvester's own admission handlers and
// VM controller, Nomad's autoscaler, Prometheus, and a Nomad. Each is built once from the side
// modules under tools/ and kept in a cache, so that a test asks for a program
// and gets a path, whoever built it and whenever. Nomad alone isn't: it is the
// user's own, or the stand-in for it in this repository (FindNomad).
//
// Real or stand-in: the programs are real, but for the stand-in for Nomad. May not enter: source or modules of Nomad,
// and modules of these programs: they are built in side modules, and run as programs.
package binaries
