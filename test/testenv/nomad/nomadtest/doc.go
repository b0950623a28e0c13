// Package nomadtest starts the environment's Nomad for a test that needs no more of the environment.
//
// Real or stand-in: the user's Nomad, or the stand-in for one; its clients are simulated. May not enter: Kubernetes:
// who needs it starts the whole test environment.
package nomadtest
