// Package nomadlink leads from a pool or a member to its Nomad cluster: connections with their credentials, what
// conditions say of its health, and the events that come back. The protocol is in internal/nomad.
package nomadlink
