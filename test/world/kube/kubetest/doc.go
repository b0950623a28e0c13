// Package kubetest starts the world's Kubernetes for a test that needs no more of the world.
//
// Real or stand-in: real. May not enter: KubeVirt, Harvester or Nomad: who needs them starts the whole test
// environment.
package kubetest
