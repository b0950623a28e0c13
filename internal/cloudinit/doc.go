// Package cloudinit is what a guest is told at its first boot: the cloud-init of a member, in its Secret. It holds how
// Nomad gets into the guest, its agent's configuration, and how the user's documents are merged with these and checked.
//
// The guest's image has to be clean: the state of a Nomad client that was baked into it (/opt/nomad/data) can't be
// removed by cloud-init in a way that is safe on every later boot. Only its client-id is overwritten.
//
// It is pure: the same member and facts give the same bytes. Nothing enters that reads the cluster, or that knows the
// VM.
package cloudinit
