package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

func TestWrites(t *testing.T) {
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	at := func(version string) client.Object {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "a", ResourceVersion: version}}
	}
	var w Writes
	check := func(what string, cached client.Object, after, want time.Duration) {
		t.Helper()
		if got := w.Lag(cached, noon.Add(after)); got != want {
			t.Errorf("%s: waits for %s, not %s", what, got, want)
		}
	}
	check("never written", at("9"), 0, 0)
	w.Wrote(at("10"), noon)
	check("as before the write", at("9"), cacheLag/4, cacheLag*3/4)
	check("as before some write", at("7"), 0, cacheLag)
	check("as written", at("10"), 0, 0)
	check("written by somebody else since", at("11"), 0, 0)
	check("of no known order", at(""), 0, 0)
	check("forgotten by an etcd that was restored", at("9"), cacheLag, 0)
	check("the clock was set back", at("9"), -time.Hour, 0)
	w.Forget(client.ObjectKeyFromObject(at("")))
	check("gone, and made again", at("9"), 0, 0)

	w.Deleted(of("a", at("10")), noon)
	check("as before the deletion", of("a", at("10")), cacheLag/4, cacheLag*3/4)
	check("changed since, and not deleted", of("a", at("11")), 0, cacheLag)
	check("another of that name", of("b", at("12")), 0, 0)
	check("not deleted after all", of("a", at("10")), cacheLag, 0)
	deleted := of("a", at("11"))
	deleted.SetDeletionTimestamp(&metav1.Time{Time: noon})
	check("deleted", deleted, 0, 0)
}

func of(uid types.UID, o client.Object) client.Object {
	o.SetUID(uid)
	return o
}
