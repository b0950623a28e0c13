package kube

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// cacheLag bounds how long the cache is waited for. It shows a write after milliseconds, unless the watch is broken, or
// etcd was restored from a backup and has forgotten the write.
const cacheLag = time.Second

// Writes remembers the last write of each object by this process, so that nothing is decided by what the cache held
// before it. Its zero value remembers nothing.
type Writes struct{ of ByName[write] }

type write struct {
	uid     types.UID
	version string // empty: the object was deleted
	at      time.Time
}

// shownBy is true if the cache shows the write. What it shows of an object that was deleted, and that waits for its
// finalizers, is that.
func (w write) shownBy(cached client.Object) bool {
	if w.version == "" {
		return cached.GetDeletionTimestamp() != nil || cached.GetUID() != w.uid
	}
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), w.version)
	return err != nil || order >= 0
}

// Wrote notes that the object was written now, as the API server has answered.
func (w *Writes) Wrote(after client.Object, now time.Time) {
	w.of.Put(client.ObjectKeyFromObject(after), write{after.GetUID(), after.GetResourceVersion(), now})
}

// Deleted notes that the API server has accepted now to delete the object.
func (w *Writes) Deleted(o client.Object, now time.Time) {
	w.of.Put(client.ObjectKeyFromObject(o), write{uid: o.GetUID(), at: now})
}

// Lag is how long to wait at most for the cache to show what was written; 0: it shows that, or has had its time. The
// event that brings it wakes whoever watches the object.
func (w *Writes) Lag(cached client.Object, now time.Time) time.Duration {
	last, known := w.of.Get(client.ObjectKeyFromObject(cached))
	if !known || last.shownBy(cached) {
		return 0
	}
	return pauseLeft(last.at, now, cacheLag)
}

// Forget forgets an object that is gone.
func (w *Writes) Forget(name types.NamespacedName) { w.of.Forget(name) }
