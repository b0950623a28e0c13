// Package kube is what the controllers share of their work with the API server: patches, refusals, the length of what
// is said, Events, metrics, and when to look again. It asks Nomad nothing and decides nothing.
package kube
