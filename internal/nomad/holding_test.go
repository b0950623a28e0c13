package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/semaphore"
)

// nodes are those that are listed, within memory of their own.
func (r *remote) nodes(ctx context.Context, index uint64) (map[string]Node, error) {
	list, err := r.listNodes(ctx, index, time.Second, &holding{of: semaphore.NewWeighted(maxReserved)})
	return list.nodes, err
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
		h := &holding{of: of}
		for range nodes {
			if err := h.add(Node{ID: nodeA, Name: strings.Repeat("n", 100)}); err != nil {
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
