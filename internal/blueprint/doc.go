// Package blueprint is what a member of a pool is made from: the Member, with all that differs from one to the next;
// the Facts, what the cluster has of that to which the template refers; and the revision, a hash of what all members of
// a pool share.
//
// The packages cloudinit, vm and preflight build on it. Names that have to be known before the objects are made and
// after they are gone are here as well: of the Secret and of the claims. So is the test whether a VM is a member at
// all.
//
// It is pure. Nothing may enter that reads the cluster, or that knows how a guest or a VM looks.
package blueprint
