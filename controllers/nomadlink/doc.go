// Package nomadlink leads from a pool or a member to its Nomad cluster: connections with their credentials, and the events that come back. The
// protocol is in internal/nomad.
package nomadlink
