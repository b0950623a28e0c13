package kube

import (
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestPace(t *testing.T) {
	noon, name := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), types.NamespacedName{Namespace: "ns", Name: "a"}
	var p Pace
	check := func(what string, after, want time.Duration) {
		t.Helper()
		if got := p.Left(name, noon.Add(after), 5*time.Second); got != want {
			t.Errorf("%s: waits for %s, not %s", what, got, want)
		}
	}
	check("never written", 0, 0)
	p.Wrote(name, noon)
	check("just written", time.Second, 4*time.Second)
	check("written a while ago", time.Minute, 0)
	check("the clock was set back", -time.Hour, 0)
	p.Forget(name)
	check("gone, and made again", 0, 0)
}
