// Package kube is what the controllers share about Kubernetes: patches, refusals, Events, metrics, and when to look again. It knows nothing of
// pools, members or Nomad.
package kube
