package nomad

import (
	"net/http"
	"testing"
	"time"
)

func TestRecoveredSinceTheLaterOfHealthAndLeader(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	for name, c := range map[string]struct {
		happens func(*recovered)
		want    time.Time
	}{
		"never healthy":    {func(s *recovered) { s.setHealthy(false, at(1)); s.setLeader("a", at(2)) }, time.Time{}},
		"healthy":          {func(s *recovered) { s.setHealthy(true, at(1)); s.setHealthy(true, at(9)) }, at(1)},
		"the first leader": {func(s *recovered) { s.setHealthy(true, at(1)); s.setLeader("a", at(2)) }, at(1)},
		"the same leader": {func(s *recovered) { s.setHealthy(true, at(1)); s.setLeader("a", at(2)); s.setLeader("a", at(3)) }, at(
			1)},
		"another leader": {func(s *recovered) { s.setHealthy(true, at(1)); s.setLeader("a", at(2)); s.setLeader("b", at(3)) },
			at(
				3)},
		"between two leaders": {func(s *recovered) {
			s.setHealthy(true, at(1))
			s.setLeader("a", at(2))
			s.setLeader("",
				at(3))
		}, at(
			1)},
		"the same one afterward": {func(s *recovered) {
			s.setLeader("a", at(2))
			s.setLeader("", at(3))
			s.setHealthy(true, at(4))
			s.setLeader("a", at(5))
		}, at(4)},
		"away and back": {func(s *recovered) {
			s.setHealthy(true, at(1))
			s.setHealthy(false, at(5))
			s.setHealthy(true,
				at(7))
		}, at(
			7)},
		"back after a change": {func(s *recovered) {
			s.setLeader("a", at(1))
			s.setLeader("b", at(3))
			s.setHealthy(true,
				at(7))
		}, at(
			7)},
	} {
		var s recovered
		if c.happens(&s); !s.since().Equal(c.want) {
			t.Errorf("%s: got %s, want %s", name, s.since(), c.want)
		}
	}
}

func TestViewShowsANewLeader(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.leader = "10.0.0.1:4647"
	began := time.Now()
	c := watched(t, Connection{Address: f.URL}, seen)
	eventually(t, "first list", func() bool { return c.View().Health.OK() })
	first := c.View().RecoveredSince
	if first.Before(began) || first.After(time.Now()) {
		t.Fatalf("recovered since %s, which is not when the first answer came", first)
	}
	eventually(t, "the leader to be asked for again", func() bool { return f.count("GET /v1/status/leader") > 1 })
	asked := f.count("GET /v1/status/leader")
	f.locked(func() {
		f.refuse["/v1/status/leader"] = refusal{code: http.StatusInternalServerError, body: "No cluster leader"}
	})
	eventually(t, "a refusal", func() bool { return f.count("GET /v1/status/leader") > asked+1 })
	if v := c.View(); !v.Health.OK() || !v.RecoveredSince.Equal(first) {
		t.Errorf("a refusal was taken for a change: %+v", v)
	}
	f.locked(func() { delete(f.refuse, "/v1/status/leader"); f.leader = "10.0.0.2:4647" })
	eventually(t, "the change", func() bool { return c.View().RecoveredSince.After(first) })

	second := c.View().RecoveredSince
	if led := c.View().Leader; led != "10.0.0.2:4647" {
		t.Errorf("the leader is %q", led)
	}
	f.locked(func() { f.refuse["/v1/nodes"] = refusal{code: http.StatusBadGateway, body: "bad gateway"} })
	eventually(t, "an outage", func() bool { return !c.View().Health.OK() })
	f.locked(func() { clear(f.refuse) })
	eventually(t, "the end of the outage",
		func() bool { v := c.View(); return v.Health.OK() && v.RecoveredSince.After(second) })
}

// Servers that had no leader when they were asked are asked again with the next list, not only after a while.
func TestLeaderIsAskedForUntilThereIsOne(t *testing.T) {
	f := newFakeServer(t)
	f.leader = "10.0.0.1:4647"
	f.refuse["/v1/status/leader"] = refusal{http.StatusInternalServerError, "No cluster leader", 1}
	clusters := NewClusters(Options{PollNodes: time.Hour, MinInterval: time.Millisecond})
	go func() { _ = clusters.Start(t.Context()) }()
	c := clusters.Get(Connection{Address: f.URL})
	eventually(t, "first list", func() bool { return c.View().Health.OK() })
	eventually(t, "the leader to be asked for again", func() bool {
		f.change(func() {})
		return f.count("GET /v1/status/leader") == 2
	})
	for range 3 {
		lists := f.count("GET /v1/nodes")
		f.change(func() {})
		eventually(t, "another list", func() bool { return f.count("GET /v1/nodes") > lists })
	}
	if n := f.count("GET /v1/status/leader"); n != 2 {
		t.Errorf("asked %d times", n)
	}
}

// After a list that failed the leader is asked for with the next one, long before its turn: a change of leader may be
// why it failed, and why nodes look down.
func TestLeaderIsAskedForAfterAFailedList(t *testing.T) {
	f := newFakeServer(t)
	f.leader = "10.0.0.1:4647"
	clusters := NewClusters(Options{PollNodes: time.Hour, MinInterval: time.Millisecond})
	go func() { _ = clusters.Start(t.Context()) }()
	c := clusters.Get(Connection{Address: f.URL})
	eventually(t, "first list", func() bool { return c.View().Leader == "10.0.0.1:4647" })
	f.change(func() {
		f.leader = "10.0.0.2:4647"
		f.refuse["/v1/nodes"] = refusal{http.StatusBadGateway, "bad gateway", 1}
	})
	eventually(t, "the new leader", func() bool { return c.View().Leader == "10.0.0.2:4647" })
}
