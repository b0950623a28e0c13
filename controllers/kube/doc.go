// Package kube is what the controllers share of their work with the API server: patches, denied writes, the length of
// messages, Events, metrics, and when to reconcile again. Nothing may enter that asks Nomad, or that decides what to
// do.
package kube
