// Package node is the controller of members. It observes one member, takes the next step that internal/member decides,
// and reports: one write of the status, then Events and metrics.
//
// No decision about a member may enter that internal/member could make, and no other package writes a NomadNode's
// status.
package node
