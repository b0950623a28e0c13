package nomad

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	clocktesting "k8s.io/utils/clock/testing"
	"pgregory.net/rapid"
)

func TestWatchFollowsNodes(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.nodes[nodeA] = fakeNode(nodeA)
	c := watched(t, Connection{Address: f.URL}, seen)

	eventually(t, "first list", func() bool { return c.View().Health.OK() && len(c.View().Nodes) == 1 })
	f.change(func() { f.nodes[nodeA].Status = NodeDown })
	eventually(t, "status", func() bool { return c.View().Nodes[nodeA].Status == NodeDown })
	before := seen.of(nodeA)
	f.change(func() { delete(f.nodes, nodeA) })
	eventually(t, "a node that vanished without a trace", func() bool { return len(c.View().Nodes) == 0 })
	eventually(t, "OnChange", func() bool { return seen.of(nodeA) > before })

	calls, taken := seen.of(nodeA), c.View().Taken
	eventually(t, "the view to stay fresh without changes",
		func() bool { return c.View().Taken.Sub(taken) > 400*time.Millisecond })
	if now := seen.of(nodeA); now != calls {
		t.Errorf("OnChange was called %d times while nothing changed", now-calls)
	}
}

func TestWatchStartsAnewWhenTheIndexGoesBack(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.index = 1000
	c := watched(t, Connection{Address: f.URL}, seen)
	eventually(t, "the list to wait", func() bool { return slices.Contains(lockedWaits(f), 1000) })
	f.change(func() { // a snapshot is restored
		f.index = 5
		f.nodes[nodeA] = fakeNode(nodeA)
	})
	eventually(t, "the restored node", func() bool { return len(c.View().Nodes) == 1 })
	eventually(t, "to wait for the new index", func() bool { return slices.Contains(lockedWaits(f), 5) })
	f.change(func() { f.nodes[nodeB] = fakeNode(nodeB) })
	eventually(t, "the next change", func() bool { return len(c.View().Nodes) == 2 })
}

func lockedWaits(f *fakeServer) (waited []uint64) {
	f.locked(func() { waited = slices.Clone(f.waited) })
	return waited
}

func TestUnreachableKeepsTheOldView(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.nodes[nodeA] = fakeNode(nodeA)
	c := watched(t, Connection{Address: f.URL}, seen)
	eventually(t, "first list", func() bool { return c.View().Health.OK() })

	f.locked(func() { f.refuse["/"] = refusal{code: http.StatusBadGateway, body: "bad gateway"} })
	eventually(t, "to notice", func() bool { return c.View().Health.State == HealthUnreachable })
	stale, calls := c.View(), seen.ofHealth()
	if len(stale.Nodes) != 1 {
		t.Errorf("the nodes are forgotten: %+v", stale)
	}
	eventually(t, "more failures", func() bool { return f.count("GET /v1/nodes") > 5 })
	if now := c.View(); now.Taken != stale.Taken || now.Health != stale.Health {
		t.Errorf("%+v became %+v without an answer", stale, now)
	}
	if seen.ofHealth() != calls {
		t.Errorf("the same health was reported again")
	}
	f.locked(func() { clear(f.refuse) })
	eventually(t, "to recover", func() bool { v := c.View(); return v.Health.OK() && v.Taken.After(stale.Taken) })
}

// One request that fails isn't an outage: nothing becomes unknown, and the recovery time doesn't begin anew.
func TestSingleFailureIsNotAnOutage(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	c := watched(t, Connection{Address: f.URL}, seen)
	eventually(t, "first list", func() bool { return c.View().Health.OK() })
	before, calls := c.View(), seen.ofHealth()
	f.locked(func() {
		f.refuse["/v1/nodes"] = refusal{http.StatusInternalServerError, "No cluster leader", maxListFailures - 1}
	})
	eventually(t, "the failures", func() (over bool) { f.locked(func() { over = len(f.refuse) == 0 }); return over })
	failed := time.Now()
	eventually(t, "an answer", func() bool { return c.View().Taken.After(failed) })
	if v := c.View(); v.Health != before.Health || !v.RecoveredSince.Equal(before.RecoveredSince) ||
		seen.ofHealth() != calls {
		t.Errorf("%+v became %+v, reported %d times", before, v, seen.ofHealth()-calls)
	}
}

func TestFailuresThatCount(t *testing.T) {
	refused := Classify("list nodes", &url.Error{Err: &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}})
	for name, c := range map[string]struct {
		err  error
		n    int
		want bool
	}{
		"first":             {refused, 1, false},
		"second":            {refused, maxListFailures - 1, false},
		"third":             {refused, maxListFailures, true},
		"long after":        {refused, 100, true},
		"no answer in time": {Classify("list nodes", fmt.Errorf("x: %w", context.DeadlineExceeded)), 1, true},
		"refused token":     {fmt.Errorf("x: %w", ErrForbidden), 1, true},
		"too long":          {Classify("list nodes", errTooManyNodes), 1, true},
		"too large":         {Classify("list nodes", errTooLarge), 1, true},
	} {
		if got := counts(c.err, c.n); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

func TestHangingServerMakesTheViewStale(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	c := watched(t, Connection{Address: f.URL}, seen)
	eventually(t, "first list", func() bool { return c.View().Health.OK() })
	f.mu.Lock() // the server accepts and never answers
	taken := c.View().Taken
	eventually(t, "to give up", func() bool { return c.View().Health.State == HealthUnreachable })
	f.mu.Unlock()
	if late := c.View().Taken.Sub(taken); late > 200*time.Millisecond {
		t.Errorf("the view got fresher by %s while nothing answered", late)
	}
	if m := c.View().Health.Cause; !strings.Contains(m, "no answer in time") && !c.View().Health.OK() {
		t.Errorf("got %q", m)
	}
}

func TestNothingListens(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.Close()
	c := watched(t, Connection{Address: f.URL, Token: secretWord}, seen)
	eventually(t, "to notice", func() bool { return c.View().Health.State == HealthUnreachable })
	if h := c.View().Health; h.OK() || h.Cause != "connection refused" {
		t.Errorf("got %+v", h)
	}
	if !c.View().Taken.IsZero() {
		t.Error("the view claims to be taken")
	}
}

func TestTokenIsJudgedAgainAfterARefusal(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.token = &api.ACLToken{Type: "client"}
	f.policies["p"] = &policyRules{Node: &struct{ Policy string }{"write"},
		Namespaces: []namespaceRule{namespace("*", "read-job")}}
	c := watched(t, Connection{Address: f.URL, Token: "t"}, seen)
	eventually(t, "a good token", func() bool { return c.View().Health.OK() })
	f.locked(func() { f.policies["p"] = &policyRules{Namespaces: []namespaceRule{namespace("*", "read-job")}} })
	f.locked(func() { f.refuse["/v1/node/"] = refusal{code: http.StatusForbidden, body: "Permission denied"} })
	if err := c.Cordon(t.Context(), nodeA); err == nil {
		t.Fatal("no error")
	}
	eventually(t, "the lack to be noticed", func() bool { return c.View().Health.State == HealthTokenLacksNodeWrite })
	f.locked(func() { f.refuse["/v1/acl/"] = refusal{code: http.StatusForbidden, body: "ACL token not found"} })
	eventually(t, "the token to be gone", func() bool { return c.View().Health.State == HealthTokenRefused })
}

func TestUnverifiableTokenIsNotTrusted(t *testing.T) {
	for name, refuse := range map[string]refusal{
		"forbidden": {code: http.StatusForbidden, body: "Permission denied"},
		"failing":   {code: http.StatusInternalServerError, body: "out of order"},
	} {
		t.Run(name, func(t *testing.T) {
			f, seen := newFakeServer(t), &changes{}
			f.token, f.policies["p"] = &api.ACLToken{Type: "client"}, &policyRules{}
			f.refuse["/v1/acl/policy/"] = refuse
			c := watched(t, Connection{Address: f.URL}, seen)
			eventually(t, "a verdict", func() bool { return c.View().Health.State == HealthTokenUnverifiable })
			if h := c.View().Health; h.OK() || !strings.Contains(h.Cause, refuse.body) {
				t.Errorf("got %+v", h)
			}
		})
	}
}

func TestAllocationsArePolledOnlyWhileTracked(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.allocs = []*api.AllocationListStub{
		{ID: "1", NodeID: nodeA, ClientStatus: "running", CreateTime: 5},
		{ID: "2", NodeID: nodeA, ClientStatus: "complete"},
		{ID: "0", NodeID: nodeA, ClientStatus: "unknown"},
	}
	c := watched(t, Connection{Address: f.URL}, seen)
	eventually(t, "first list", func() bool { return c.View().Health.OK() })
	if n := f.count("GET /v1/allocations"); n != 0 {
		t.Fatalf("%d polls without interest", n)
	}
	c.TrackAllocations("not an ID", true)
	c.TrackAllocations(nodeA, true)
	c.TrackAllocations(nodeB, true)
	eventually(t, "both nodes", func() bool { return len(c.Allocations().Live) == 2 })
	live := c.Allocations().Live
	if got := live[nodeA]; len(got) != 2 || got[0].ID != "0" || got[1].CreateTime != time.Unix(0, 5).UTC() {
		t.Errorf("got %+v", got)
	}
	if got, asked := live[nodeB]; !asked || len(got) != 0 {
		t.Errorf("an empty node is not distinguished from one that wasn't asked about: %+v", live)
	}

	calls := seen.of(nodeA)
	f.change(func() { f.allocs[0].ClientStatus = "complete" })
	eventually(t, "OnChange for the end",
		func() bool { return seen.of(nodeA) > calls && len(c.Allocations().Live[nodeA]) == 1 })

	f.locked(func() { f.refuse["/v1/allocations"] = refusal{code: http.StatusForbidden, body: "Permission denied"} })
	eventually(t, "the error", func() bool { return c.Allocations().Err != nil })
	if v := c.Allocations(); len(v.Live[nodeA]) != 1 || v.Started.IsZero() {
		t.Errorf("a failed poll emptied the view: %+v", v)
	}
	c.TrackAllocations(nodeA, false)
	if _, asked := c.Allocations().Live[nodeA]; asked {
		t.Error("an untracked node is still shown")
	}
}

func TestClustersAreShared(t *testing.T) {
	clusters := NewClusters(Options{})
	a := clusters.Get(Connection{Address: "http://127.0.0.1:1", Token: "a"})
	if clusters.Get(Connection{Address: "http://127.0.0.1:1", Token: "a"}) != a {
		t.Error("two clusters for one connection")
	}
	if clusters.Get(Connection{Address: "http://127.0.0.1:1", Token: "b"}) == a {
		t.Error("one cluster for two tokens")
	}
	if v := a.View(); v.Health.OK() || v.Health.State != HealthUnknown || !v.Taken.IsZero() {
		t.Errorf("got %+v before the first answer", v)
	}
	broken := clusters.Get(Connection{Address: "https://127.0.0.1:1", CACert: []byte("x")})
	if h := broken.View().Health; h.OK() || h.State != HealthNoConnection {
		t.Errorf("got %+v", h)
	}
	if err := broken.Purge(t.Context(), nodeA); err == nil {
		t.Error("a broken connection purges")
	}
}

func TestIdleClustersAreGivenUp(t *testing.T) {
	f := newFakeServer(t)
	clusters := NewClusters(
		Options{IdleAfter: 100 * time.Millisecond, PollNodes: 50 * time.Millisecond, MinInterval: 10 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	first := clusters.Get(Connection{Address: f.URL})
	go func() { ended <- clusters.Start(ctx) }()
	eventually(t, "a list", func() bool { return f.count("GET /v1/nodes") > 0 })
	eventually(t, "to be given up", func() bool {
		clusters.mu.Lock()
		defer clusters.mu.Unlock()
		return len(clusters.entries) == 0
	})
	if clusters.Get(Connection{Address: f.URL}) == first {
		t.Error("the given up one came back")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := clusters.Start(t.Context()); err == nil {
		t.Error("started twice")
	}
}

// View and Allocations are enough to keep a cluster: a member that drains calls nothing else.
func TestUsedClustersAreKept(t *testing.T) {
	for name, call := range map[string]func(Cluster){
		"view":        func(c Cluster) { c.View() },
		"allocations": func(c Cluster) { c.Allocations() },
	} {
		t.Run(name, func(t *testing.T) {
			clock := clocktesting.NewFakeClock(time.Unix(0, 0))
			clusters := NewClusters(Options{Clock: clock, IdleAfter: time.Minute})
			conn := Connection{Address: "http://127.0.0.1:1"}
			c := clusters.Get(conn)
			for range 5 {
				clock.Step(59 * time.Second)
				call(c)
				clusters.dropIdle()
			}
			if clusters.Get(conn) != c {
				t.Error("dropped while it was used")
			}
			clock.Step(61 * time.Second)
			clusters.dropIdle()
			if clusters.Get(conn) == c {
				t.Error("kept while nobody looks")
			}
		})
	}
}

// A cluster that nobody uses any more isn't watched any more, and the same connection gets another.
func TestDroppedClustersAreNotWatched(t *testing.T) {
	f := newFakeServer(t)
	clusters := NewClusters(Options{PollNodes: 20 * time.Millisecond, MinInterval: time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _ = clusters.Start(ctx); close(ended) }()
	conn := Connection{Address: f.URL}
	c := clusters.Get(conn)
	eventually(t, "it is watched", func() bool { return c.View().Health.OK() })
	clusters.Drop(c)
	clusters.watches.Wait()
	asked := f.count("GET /v1/nodes")
	if clusters.Drop(c); len(clusters.entries) != 0 || asked != f.count("GET /v1/nodes") {
		t.Error("it is kept")
	}
	if _, err := c.Usage(t.Context(), []string{nodeA}); err != nil {
		t.Errorf("who still has it can't ask it: %v", err)
	}
	again := clusters.Get(conn)
	eventually(t, "the next one is watched", func() bool { return again != c && again.View().Health.OK() })
	cancel()
	<-ended
}

func TestBackoff(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := time.Duration(rapid.Int64Range(int64(time.Millisecond), int64(2*maxBackoff)).Draw(t, "base"))
		pauses, least := backoff(base), min(base, maxBackoff)/2 // half a nanosecond that is lost would double each time
		for n := range 100 {
			if d := pauses.Step(); d < least || d > 2*least {
				t.Fatalf("%s after failure %d with base %s, which should be from %s to twice that", d, n+1, base, least)
			}
			least = min(2*least, maxBackoff/2)
		}
	})
}

// An index that went back isn't waited for, and one that stayed is.
func TestNextIndexToWaitFor(t *testing.T) {
	for _, tc := range []struct{ waited, got, want uint64 }{
		{0, 1, 1}, {5, 6, 6}, {5, 5, 5}, {5, 4, 0}, {1000, 5, 0}, {5, 0, 0},
	} {
		if next := nextIndex(tc.waited, tc.got); next != tc.want {
			t.Errorf("waited for %d and got %d: the next is %d, want %d", tc.waited, tc.got, next, tc.want)
		}
	}
}

// A server that answers each request within its time, but has so many for a check of the token that this takes as long
// as it likes, is one that doesn't show what the token grants. Otherwise it would count as not asked yet all that time.
func TestEndlessCheckOfTheTokenIsGivenUp(t *testing.T) {
	f := newFakeServer(t)
	f.token = &api.ACLToken{Type: "client"}
	for i := range maxPolicies {
		f.policies[strconv.Itoa(i)] = seesAll()
	}
	at := f.Config.Handler
	f.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/acl/policy/") {
			time.Sleep(20 * time.Millisecond)
		}
		at.ServeHTTP(w, r)
	})
	c := watched(t, Connection{Address: f.URL, Token: "t"}, &changes{})
	eventually(t, "to know", func() bool { return c.View().Health.State != HealthUnknown })
	if h := c.View().Health; h.State != HealthTokenUnverifiable || h.Misconfigured() {
		t.Errorf("the health is %+v", h)
	}
}
