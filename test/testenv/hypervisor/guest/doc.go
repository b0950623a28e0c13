// Package guest boots the operating systems of the test environment's virtual machines.
//
// A guest runs what its cloud-config asks for, in a directory that plays its root disk: with the kind Agent a Nomad
// client (of the user's Nomad or the stand-in) in namespaces of its own, with Simulated a client that only speaks
// Nomad's RPC. Either way servers, region, datacenter, node pool, class, meta, node ID and introduction token are
// what was rendered into the cloud-config, so that a mistake there shows.
//
// Real or stand-in: stand-ins, but for the kind with qemu, which is a real machine. May not enter: knowledge of the
// product: a guest knows what its cloud-config says.
package guest
