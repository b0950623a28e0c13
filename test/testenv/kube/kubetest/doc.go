// Package kubetest starts the environment's Kubernetes for a test that needs no more of the environment.
//
// Real or stand-in: real. May not enter: KubeVirt, Harvester or Nomad: who needs them starts the whole test
// environment.
package kubetest
