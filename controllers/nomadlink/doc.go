// Package nomadlink connects pools and members with their Nomad cluster: connections with their credentials, the
// conditions about its health, and the events that wake the reconcilers. The protocol is in internal/nomad. Nothing may
// enter that decides about pools or members.
package nomadlink
