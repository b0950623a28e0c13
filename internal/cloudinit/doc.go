// Package cloudinit makes the cloud-init of a member, in its Secret: the installation of Nomad in the guest and the
// configuration of its agent. It merges the user's documents with these, and checks them.
//
// The guest's image has to be clean: the state of a Nomad client that was baked into it (/opt/nomad/data) can't be
// removed by cloud-init in a way that is safe on every later boot. Only its client-id is overwritten.
//
// It is pure: the same member and facts give the same bytes. Nothing may enter that reads the cluster, or that knows
// the VM.
package cloudinit
