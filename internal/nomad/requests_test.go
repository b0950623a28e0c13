package nomad

import (
	"fmt"
	"testing"
	"time"
)

// However many nodes there are, and however many of them drain, Nomad is asked for all of them together: for the list
// of nodes and the leader as often as a list may wait, and for allocations as often as they are polled. A busy machine
// asks less often.
func TestRequestsDontGrowWithNodes(t *testing.T) {
	const pollNodes, pollAllocations = 200 * time.Millisecond, 20 * time.Millisecond // as watched has them
	for _, c := range []struct{ nodes, draining int }{{10, 0}, {2000, 0}, {10, 10}, {2000, nodesPerRequest}} {
		t.Run(fmt.Sprintf("%d nodes, %d drain", c.nodes, c.draining), func(t *testing.T) {
			f := newFakeServer(t)
			id := func(i int) string { return fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i) }
			for i := range c.nodes {
				f.nodes[id(i)] = fakeNode(id(i))
			}
			w := watched(t, Connection{Address: f.URL}, &changes{})
			eventually(t, "all nodes", func() bool { return w.View().Health.OK() && len(w.View().Nodes) == c.nodes })
			for i := range c.draining {
				w.TrackAllocations(id(i), true)
			}
			eventually(t, "their allocations", func() bool { return len(w.Allocations().Live) == c.draining })
			asked := func() (kinds map[string]int) {
				kinds = map[string]int{}
				f.locked(func() {
					for _, r := range f.requests {
						kinds[r]++
					}
				})
				return kinds
			}
			before, start := asked(), time.Now()
			eventually(t, "five lists", func() bool { return f.count("GET /v1/nodes") >= before["GET /v1/nodes"]+5 })
			after, took := asked(), time.Since(start)
			most := map[string]time.Duration{"GET /v1/nodes": pollNodes, "GET /v1/status/leader": pollNodes,
				"GET /v1/acl/token/self": time.Second}
			if c.draining > 0 {
				most["GET /v1/allocations"] = pollAllocations
			}
			for kind, n := range after {
				every, expected := most[kind]
				if n -= before[kind]; n > 0 && (!expected || n > int(took/every)+2) {
					t.Errorf("%d times %s in %s", n, kind, took)
				}
			}
		})
	}
}
