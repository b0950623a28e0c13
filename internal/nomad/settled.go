package nomad

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"
)

// settled keeps since when a cluster has been what it is: healthy, under one leader. The caller locks.
type settled struct {
	ok      bool
	okSince time.Time
	// leader as last heard; empty: not yet.
	leader   string
	ledSince time.Time
}

func (s *settled) became(ok bool, at time.Time) {
	if ok && !s.ok {
		s.okSince = at
	}
	s.ok = ok
}

// led notes a leader. Servers between two leaders name none, and the first one heard of is no change.
func (s *settled) led(leader string, at time.Time) {
	if leader == "" || leader == s.leader {
		return
	}
	if s.leader != "" {
		s.ledSince = at
	}
	s.leader = leader
}

func (s *settled) since() time.Time {
	if s.ledSince.After(s.okSince) {
		return s.ledSince
	}
	return s.okSince
}

// leader is the RPC address of the server that leads; empty: none does.
func (r *remote) leader(ctx context.Context) (string, error) {
	var leader string
	err := r.query(ctx, "ask for the leader", api.QueryOptions{}, func(q *api.QueryOptions) error {
		// api.Status takes no context.
		_, err := r.api.Raw().Query("/v1/status/leader", &leader, q)
		return err
	})
	return leader, err
}

// noteLeader asks who leads, and returns true if somebody does. Without an answer nobody knows of a change, and it is
// asked again with the next list: a change that cost no more than a request or two is noticed in no other way.
func (c *cluster) noteLeader(ctx context.Context) bool {
	leader, err := c.remote.leader(ctx)
	if err != nil || leader == "" {
		return false
	}
	c.state.led(leader, c.o.Clock.Now())
	return true
}
