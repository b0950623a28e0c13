package nomad

import (
	"context"
	"time"

	"github.com/hashicorp/nomad/api"
)

// recovered keeps since when a cluster has been healthy, under the same leader. The caller locks.
type recovered struct {
	ok      bool
	okSince time.Time
	// leader as last heard; empty: not yet.
	leader      string
	leaderSince time.Time
}

func (s *recovered) setHealthy(ok bool, at time.Time) {
	if ok && !s.ok {
		s.okSince = at
	}
	s.ok = ok
}

// setLeader notes the leader. An empty one is ignored, because servers name none during an election. The first leader
// that is known is not a change.
func (s *recovered) setLeader(leader string, at time.Time) {
	if leader == "" || leader == s.leader {
		return
	}
	if s.leader != "" {
		s.leaderSince = at
	}
	s.leader = leader
}

func (s *recovered) since() time.Time {
	if s.leaderSince.After(s.okSince) {
		return s.leaderSince
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

// noteLeader asks which server leads, and returns true if there is one. Otherwise it is called again with the next
// list: a change of leader during which only a request or two failed is noticed in no other way.
func (c *cluster) noteLeader(ctx context.Context) bool {
	leader, err := c.remote.leader(ctx)
	if err != nil || leader == "" {
		return false
	}
	c.state.setLeader(leader, c.o.Clock.Now())
	return true
}
