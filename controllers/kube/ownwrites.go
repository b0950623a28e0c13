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

// OwnWrites remembers the last write of each object by this process, so that nothing is decided by what the cache held
// before it. Its zero value remembers nothing.
type OwnWrites struct{ of ByName[ownWrite] }

type ownWrite struct {
	version string
	at      time.Time
}

// Wrote notes that the object was written now, as the API server has answered.
func (o *OwnWrites) Wrote(after client.Object, now time.Time) {
	o.of.Put(client.ObjectKeyFromObject(after), ownWrite{after.GetResourceVersion(), now})
}

// Lag is how long to wait at most for the cache to show what was written; 0: it shows that, or has had its time. The
// event that brings it wakes whoever watches the object.
func (o *OwnWrites) Lag(cached client.Object, now time.Time) time.Duration {
	last, known := o.of.Get(client.ObjectKeyFromObject(cached))
	order, err := resourceversion.CompareResourceVersion(cached.GetResourceVersion(), last.version)
	if !known || err != nil || order >= 0 {
		return 0
	}
	return pauseLeft(last.at, now, cacheLag)
}

// Forget forgets an object that is gone.
func (o *OwnWrites) Forget(name types.NamespacedName) { o.of.Forget(name) }
