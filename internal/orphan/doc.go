// Package orphan decides which orphaned resources may be removed: Nomad nodes, claims and Secrets of members whose
// NomadNode is gone. A NomadNode goes last, because of its finalizer. So there are orphans only if somebody removed the
// finalizer, or if the NomadNode was lost.
//
// It is pure: it is given an observation with the time in it, and what it has seen earlier. No clock and no client may
// enter. It removes nothing at once: an orphan has had no NomadNode and no VM at every observation of a grace period.
package orphan
