// Package scenario plays the main job from start to end on an embedded environment: demand for a Nomad job makes the
// real Nomad Autoscaler ask for more clients, VMs come, Nomad clients join; demand falls, members drain, running work
// moves, VMs go. The demo shows it, the end-to-end test asserts it.
//
// Real or stand-in: it runs on real programs and stand-ins alike. May not enter: shortcuts around them: it acts as a
// user would, and looks where a user would.
package scenario
