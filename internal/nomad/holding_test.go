package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// nodes are those that are listed, within memory of their own.
func (r *remote) nodes(ctx context.Context, index uint64) (map[string]Node, error) {
	list, err := r.listNodes(ctx, index, time.Second, holdingNodes(semaphore.NewWeighted(maxReserved)))
	return list.nodes, err
}

// live are the allocations that are listed, within memory of their own.
func (r *remote) live(ctx context.Context, nodeIDs []string) (map[string][]Allocation, error) {
	list, err := r.liveAllocations(ctx, nodeIDs, since{}, holdingAllocations(semaphore.NewWeighted(maxAllocationsReserved)))
	return list.live, err
}

// listing serves a list of so many nodes.
func listing(count int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/nodes" {
			http.Error(w, "ACL support disabled", http.StatusBadRequest)
			return
		}
		_, _ = io.WriteString(w, "[")
		for i := range count {
			_, err := fmt.Fprintf(w, `%s{"ID":"%08x-0000-4000-8000-000000000000","Name":"n","Status":"ready"}`,
				map[bool]string{false: ","}[i == 0], i)
			if err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "]")
	}
}

// A hundred thousand nodes that carry our key take no memory, and are reported.
func TestTooManyNodesAreReported(t *testing.T) {
	c := answering(t, listing(100_000)).(*cluster)
	var err error
	if grew := peak(t, func() { _, err = c.remote.nodes(t.Context(), 0) }); grew > 32<<20 {
		t.Errorf("took %d MiB", grew>>20)
	}
	if !errors.Is(err, errTooManyNodes) || !errors.Is(err, ErrUnreachable) || !counts(err, 1) {
		t.Errorf("got %v", err)
	}
	if h := healthFrom(err, Health{State: HealthReachable}); h.State != HealthTooManyNodes || !h.Misconfigured() {
		t.Errorf("the health is %s", h)
	}
}

// The nodes of all clusters together are bounded, a thousand of each are always kept, and what isn't kept any more is
// given back.
func TestNodesShareTheirMemory(t *testing.T) {
	of := semaphore.NewWeighted(10 << 20)
	fill := func(nodes int) (*holding, error) {
		h := holdingNodes(of)
		for range nodes {
			if err := h.add(nodeA, strings.Repeat("n", 100)); err != nil {
				return h, err
			}
		}
		return h, nil
	}
	first, err := fill(maxNodes)
	if err != nil {
		t.Error(err)
	}
	second, err := fill(maxNodes)
	if !errors.Is(err, errTooManyNodes) {
		t.Errorf("twice as many: %v", err)
	}
	if small, err := fill(1000); err != nil || small.reserved != 0 {
		t.Errorf("a thousand: %v, of %d", err, small.reserved)
	}
	if _, err := fill(maxNodes + 1); err == nil {
		t.Error("one too many is kept")
	}
	first.release()
	first.release()
	second.release()
	again, err := fill(maxNodes)
	if err != nil {
		t.Errorf("again: %v", err)
	}
	again.release()
}

// The texts of a list have a limit, however much is free and however few items there are.
func TestTextsThatAreKeptHaveALimit(t *testing.T) {
	for name, h := range map[string]*holding{
		"nodes":       holdingNodes(semaphore.NewWeighted(10 * maxKept)),
		"allocations": holdingAllocations(semaphore.NewWeighted(10 * maxKept)),
	} {
		if err := h.add(strings.Repeat("n", maxKept-1), "n"); err != nil {
			t.Errorf("%s: as many as may be: %v", name, err)
		}
		if err := h.add("n"); !errors.Is(err, errTooLarge) {
			t.Errorf("%s: one more: %v", name, err)
		}
		if err := h.again().add("n"); err != nil {
			t.Errorf("%s: the next list: %v", name, err)
		}
	}
}

func TestPauseAfterALongList(t *testing.T) {
	for _, tc := range []struct {
		bytes    int64
		err      error
		min, max time.Duration
	}{
		{0, nil, 0, 0},
		{1000 * 5000, nil, 0, 500 * time.Millisecond}, // a pool of the greatest size isn't slowed down
		{maxList, nil, 5 * time.Second, 10 * time.Second},
		{1, fmt.Errorf("list: %w", errTooLarge), tooManyPause, tooManyPause},
		{1, fmt.Errorf("list: %w", errTooManyNodes), tooManyPause, tooManyPause},
		{1, errors.New("another"), 0, time.Millisecond},
	} {
		if got := listPause(tc.bytes, tc.err); got < tc.min || got > tc.max {
			t.Errorf("after %d bytes and %v: %s", tc.bytes, tc.err, got)
		}
	}
}

// running serves a list of so many allocations of node A, with names of so many bytes.
func running(count, name int) http.HandlerFunc {
	item := `{"ID":"%08d","NodeID":"` + nodeA + `","ClientStatus":"running","Name":"` + strings.Repeat("n", name) + `"}`
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/allocations" {
			_, _ = io.WriteString(w, `{"ID":"`+nodeA+`","Status":"ready"}`)
			return
		}
		for i := range count {
			if _, err := fmt.Fprintf(w, map[bool]string{true: "[", false: ","}[i == 0]+item, i); err != nil {
				return
			}
		}
		_, _ = io.WriteString(w, "]")
	}
}

// The allocations of all clusters together are bounded. A list that is beyond it is an error, which names the limit,
// whoever asked for it: a node mustn't look empty or emptier than it is. A few of each are always kept.
func TestAllocationsShareTheirMemory(t *testing.T) {
	clusters := NewClusters(Options{RequestTimeout: 10 * time.Second})
	at := func(serve http.HandlerFunc) *cluster {
		server := httptest.NewServer(serve)
		t.Cleanup(server.Close)
		return clusters.Get(Connection{Address: server.URL}).(*cluster)
	}
	of := clusters.shared.allocations
	var kept []*holding
	keep := func(c *cluster) error {
		h := holdingAllocations(of)
		list, err := c.remote.liveAllocations(t.Context(), []string{nodeA}, since{}, h)
		if kept = append(kept, h); err != nil && list.live != nil {
			t.Error("a list that isn't complete is given")
		}
		return err
	}
	hostile := at(running(5000, 1500)) // nearly what one list may have
	for range 10 {
		if keep(hostile) != nil {
			break
		}
	}
	if len(kept) < 3 || len(kept) > 4 {
		t.Errorf("it is full after %d lists", len(kept))
	}
	few, many := at(running(400, 100)), at(running(2000, 100))
	if err := keep(few); err != nil {
		t.Errorf("a few aren't kept: %v", err)
	}
	for what, err := range map[string]error{"the poll": keep(many), "one node": lastErr(many.remote.inspect(t.Context(), nodeA))} {
		if !errors.Is(err, errTooManyAllocations) || !errors.Is(err, ErrUnreachable) ||
			!strings.Contains(Cause(err), "30000") || !strings.Contains(Cause(err), "24 MiB") {
			t.Errorf("%s: %v, because %q", what, err, Cause(err))
		}
	}
	for _, h := range kept {
		h.release()
	}
	if _, err := many.remote.inspect(t.Context(), nodeA); err != nil || keep(many) != nil {
		t.Errorf("once there is room: %v", err)
	}
	kept[len(kept)-1].release()
	if !of.TryAcquire(maxAllocationsReserved) {
		t.Error("something wasn't given back")
	}
}

func lastErr(_ Inspection, err error) error { return err }

// A cluster has a limit of its own as well.
func TestTooManyAllocationsAreReported(t *testing.T) {
	c := answering(t, running(maxAllocations+1, 1)).(*cluster)
	c.remote.timeout = time.Minute // for a busy CPU
	if _, err := c.remote.live(t.Context(), []string{nodeA}); !errors.Is(err, errTooManyAllocations) {
		t.Errorf("got %v", err)
	}
}

// What has failed long ago, and Nomad hasn't collected yet, is read but not kept.
func TestAllocationsThatAreNotKeptTakeNoMemory(t *testing.T) {
	running, replaced := running(maxAllocations+1, 300), `"NextAllocation":"x","ClientStatus":"failed"`
	c := answering(t, func(w http.ResponseWriter, r *http.Request) {
		seen := httptest.NewRecorder()
		running(seen, r)
		_, _ = io.WriteString(w, strings.ReplaceAll(seen.Body.String(), `"ClientStatus":"running"`, replaced))
	}).(*cluster)
	c.remote.timeout = time.Minute // for a busy CPU
	if in, err := c.remote.inspect(t.Context(), nodeA); err != nil || !in.Found || len(in.Live) > 0 {
		t.Errorf("got %d, %v", len(in.Live), err)
	}
	if live, err := c.remote.live(t.Context(), []string{nodeA}); err != nil || len(live[nodeA]) > 0 {
		t.Errorf("the poll got %d, %v", len(live[nodeA]), err)
	}
}

// A poll that is beyond the limit leaves no node empty, and what it took is given back.
func TestAPollThatIsTooLongCompletesNoDrain(t *testing.T) {
	var count atomic.Int64
	count.Store(5)
	clusters := NewClusters(Options{PollAllocations: 10 * time.Millisecond, RequestTimeout: 10 * time.Second})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running(int(count.Load()), 1)(w, r)
	}))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _ = clusters.Start(ctx); close(ended) }()
	c := clusters.Get(Connection{Address: server.URL})
	c.TrackAllocations(nodeA, true)
	eventually(t, "its allocations", func() bool { return len(c.Allocations().Live[nodeA]) == 5 })
	count.Store(maxAllocations + 1)
	eventually(t, "the limit", func() bool { return errors.Is(c.Allocations().Err, errTooManyAllocations) })
	if a := c.Allocations(); len(a.Live[nodeA]) != 5 {
		t.Errorf("the node has %d", len(a.Live[nodeA]))
	}
	cancel()
	<-ended
	if !clusters.shared.allocations.TryAcquire(maxAllocationsReserved) {
		t.Error("something wasn't given back")
	}
}

// A server may name another version of a job each time.
func TestLearntJobsAreBounded(t *testing.T) {
	m, former := newMigrations(), replacedBy{"n": {Namespace: "ns", JobID: "db"}}
	for version := range uint64(10_000) {
		m.keep(former)
		b := beginning{id: "a", created: 1, job: jobKey{"ns", "db", strings.Repeat("g", int(version)), version}}
		m.learn(b, true, 1)
		if _, known := m.of(b); !known {
			t.Fatalf("version %d was forgotten at once", version)
		}
	}
	size := 0
	for k := range m.jobs {
		size += k.size()
	}
	if size > maxLearnt || m.bytes != size {
		t.Errorf("%d bytes are kept, counted as %d", size, m.bytes)
	}
	m.keep(replacedBy{})
	if len(m.jobs) != 0 || m.bytes != 0 {
		t.Errorf("%d are left, with %d bytes", len(m.jobs), m.bytes)
	}
	long := beginning{job: jobKey{group: strings.Repeat("g", maxLearnt)}}
	m.learn(long, true, 0)
	if _, known := m.of(long); known || m.bytes != 0 {
		t.Error("one that is too long is kept")
	}
}
