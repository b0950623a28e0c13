package nomad

import (
	"errors"
	"strings"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// A watcher that hangs leaves its cluster's view to get old, and nothing else tells of it.
func TestAStuckWatcherIsNoticed(t *testing.T) {
	f, clock := newFakeServer(t), clocktesting.NewFakeClock(time.Now())
	f.nodes[nodeA] = fakeNode(nodeA)
	entered, release := make(chan struct{}), make(chan struct{})
	c := NewClusters(Options{Clock: clock, OnChange: func(_ Cluster, ids []string) {
		if ids != nil { // only the watcher of the nodes tells of them
			entered <- struct{}{}
			<-release
		}
	}})
	go func() { _ = c.Start(t.Context()) }()
	defer close(release)
	c.Get(Connection{Address: f.URL})
	<-entered
	if err := c.Alive(); err != nil {
		t.Errorf("it has only just begun: %v", err)
	}
	clock.Step(c.o.longestRound() + stuckAfter)
	if err := c.Alive(); err != nil {
		t.Errorf("it may still be waiting for Nomad: %v", err)
	}
	clock.Step(time.Second)
	if err := c.Alive(); !errors.Is(err, errStuck) || !strings.Contains(err.Error(), f.URL) {
		t.Errorf("got %v", err)
	}
}

// Nomad may be gone for as long as it likes: its watcher goes on.
func TestAnOutageOfNomadIsNoStuckWatcher(t *testing.T) {
	clock := clocktesting.NewFakeClock(time.Now())
	c := NewClusters(Options{Clock: clock})
	if err := c.Alive(); err != nil {
		t.Errorf("before the start: %v", err)
	}
	go func() { _ = c.Start(t.Context()) }()
	c.Get(Connection{Address: "http://127.0.0.1:1"})
	for range 20 {
		eventually(t, "the pause after a failure", clock.HasWaiters)
		clock.Step(maxBackoff)
		eventually(t, "another round", func() bool {
			clock.Step(time.Second) // others may have been who waited
			return c.Alive() == nil
		})
	}
}

// A clock that is set, or a host that was suspended, makes no watcher stuck and no cluster idle: what is compared has
// the reading of the monotonic clock, which time.Time shows as m=.
func TestBeatsAreMonotonic(t *testing.T) {
	c := NewClusters(Options{}).Get(Connection{Address: "http://127.0.0.1:1"}).(*cluster)
	c.beat()
	for what, m := range map[string]*moment{"beat": &c.lastBeat, "use": &c.lastUsed} {
		if at := m.time(); !strings.Contains(at.String(), " m=") {
			t.Errorf("the last %s was at %s by the wall clock alone", what, at)
		}
	}
}
