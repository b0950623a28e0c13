// Package finish has writes finish that were sent when the process was asked to end. It is used where HTTP requests to
// Kubernetes and to Nomad are sent. Nothing may enter that knows what a request is about.
package finish
