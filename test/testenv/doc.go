// Package testenv composes everything that nomad-harvester meets in production, on loopback and without
// privileges beyond namespaces: Kubernetes, KubeVirt and Harvester's control planes, a hypervisor that boots
// guests, and Nomad with its autoscaler. What is real and what stands in is said where it is started.
//
// Several environments can run at once. A process that dies takes its environment with it.
//
// Real or stand-in: everything is real but what its README's table calls a stand-in. May not enter: the product's own
// packages beyond its API, so that what it starts is the binary that users run.
package testenv
