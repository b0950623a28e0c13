package nomad

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// patient has the lists wait for as long as a test takes, so that only what ends a wait can end it.
func patient(t *testing.T, f *fakeServer) Cluster {
	t.Helper()
	clusters := NewClusters(Options{PollNodes: time.Minute, AwaitAllocations: time.Minute,
		MinInterval: time.Millisecond, PollAllocations: 4 * time.Millisecond})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- clusters.Start(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return clusters.Get(Connection{Address: f.URL})
}

// isWaiting is true once the latest of these requests waits for a change.
func isWaiting(f *fakeServer, of *[]uint64) func() bool {
	return func() (waiting bool) {
		f.locked(func() { waiting = len(*of) > 0 && (*of)[len(*of)-1] == f.index })
		return waiting
	}
}

func TestAllocationsAreAskedForWhenTheyChange(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA], f.nodes[nodeB] = fakeNode(nodeA), fakeNode(nodeB)
	f.allocs = []*api.AllocationListStub{{ID: "0", NodeID: nodeA, ClientStatus: "running"}}
	c := patient(t, f)
	c.TrackAllocations(nodeA, true)
	eventually(t, "it waits for a change", isWaiting(f, &f.polled))
	asked := f.count("GET /v1/allocations")

	f.change(func() { f.allocs[0].ClientStatus = "complete" })
	eventually(t, "the change is known", func() bool { return len(c.Allocations().Live[nodeA]) == 0 })
	eventually(t, "it waits for the next", isWaiting(f, &f.polled))
	if now := f.count("GET /v1/allocations"); now != asked+1 {
		t.Errorf("%d more requests after one change", now-asked)
	}

	c.TrackAllocations(nodeB, true)
	eventually(t, "another node isn't waited for", func() bool {
		_, known := c.Allocations().Live[nodeB]
		return known
	})
}

// A node that was left out and is tracked again has no entry, so that it isn't waited for either.
func TestAllocationsOfANodeThatIsTrackedAgainAreAskedForAtOnce(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := patient(t, f)
	for range 3 {
		c.TrackAllocations(nodeA, true)
		eventually(t, "it waits for a change", isWaiting(f, &f.polled))
		eventually(t, "they are known", func() bool { _, known := c.Allocations().Live[nodeA]; return known })
		c.TrackAllocations(nodeA, false)
	}
}

// What moves is found out by looking again, and no change of an allocation says that it is known now.
func TestAllocationsAreAskedForAgainWhileDataMoves(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	f.allocs = []*api.AllocationListStub{
		{ID: "dddddddd-0000-4000-8000-000000000001", NodeID: nodeA, ClientStatus: "complete", NextAllocation: nodeC, JobID: "j"},
		{ID: nodeC, NodeID: nodeB, ClientStatus: "pending", DesiredStatus: "run", JobID: "j"}}
	f.details = map[string]*api.Allocation{}
	c := patient(t, f)
	c.TrackAllocations(nodeA, true)
	eventually(t, "it asks again", func() bool { return f.count("GET /v1/allocations") > 10 })
	f.locked(func() {
		if i := slices.IndexFunc(f.polled, func(index uint64) bool { return index != 0 }); i >= 0 {
			t.Errorf("request %d waited", i)
		}
	})
}

func TestRefreshHasTheNodesListedAtOnce(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := patient(t, f)
	eventually(t, "it waits for a change", isWaiting(f, &f.waited))
	before := c.View()
	c.Refresh()
	eventually(t, "a list without a change", func() bool { return c.View().Taken.After(before.Taken) })
	if now := c.View(); now.Health != before.Health || !now.RecoveredSince.Equal(before.RecoveredSince) {
		t.Errorf("%+v became %+v", before, now)
	}
}

func TestWhenTheLeaderIsAskedFor(t *testing.T) {
	c := &cluster{o: Options{}.withDefaults()}
	for _, x := range []struct {
		ago     time.Duration
		changed bool
		want    bool
	}{
		{c.o.AskLeader, true, true}, {c.o.AskLeader - 1, true, false},
		{c.o.AskLeader, false, false}, {2*c.o.PollNodes - 1, false, false}, {2 * c.o.PollNodes, false, true},
	} {
		if got := c.leaderDue(x.ago, x.changed); got != x.want {
			t.Errorf("%+v: %t", x, got)
		}
	}
}
