// Package machine renders a member of a pool, which is a Secret and a VirtualMachine, the way Harvester's own UI would
// have made it, and says beforehand what in a template can't work.
//
// Render, Check and Revision are pure. What they need to know of the cluster is read by Gather, into Facts.
//
// The guest's image has to be clean: the state of a Nomad client that was baked into it (/opt/nomad/data) can't be
// removed by cloud-init in a way that is safe on every later boot. Only its client-id is overwritten.
package machine
