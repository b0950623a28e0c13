// Package blueprint is what a member of a pool is made from: the member itself, with everything that is its own; the
// facts of the cluster to which its template refers; and the revision, a hash of what all members of a pool share.
//
// It is the ground on which cloud-init, the VM and pre-flight stand. Names that have to be known before anything is
// made, and after it is gone, are here as well: of the Secret, of the claims, and whether a VM is a member at all.
//
// It is pure. Nothing enters that reads the cluster, and nothing that says how a guest or a VM looks.
package blueprint
