// Package sweep decides what is left of members whose record is gone and may be removed. A record goes last, held by
// its finalizer, so there is something left only if somebody took the finalizer off, or the record was lost.
// Everything is believed slowly: what is removed has been without a record and without a VM at each look for the
// whole grace.
package orphan
