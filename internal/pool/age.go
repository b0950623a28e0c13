package pool

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// upToDate reports whether a member needs no replacement by a rollout: it was made from the present template, neither
// before rollout.restartedAt nor longer ago than rollout.maxAge, and is in the pool's Nomad cluster.
func (s *Snapshot) upToDate(m *Member) bool {
	return m.Revision == s.Revision && !m.Elsewhere && !s.aged(m)
}

// aged reports whether a member is to be replaced because of when it was made. A restartedAt in the future has no
// effect yet: a member that is made before it would be replaced again and again.
func (s *Snapshot) aged(m *Member) bool {
	if at := s.Rollout.RestartedAt; at != nil && !s.Now.Before(at.Time) && m.Created.Before(at.Time) {
		return true
	}
	most := s.Rollout.MaxAge
	return most != nil && most.Duration > 0 && !s.Now.Before(m.Created.Add(most.Duration))
}

// nextAged returns how long it takes until another member is to be replaced for its age; 0: none will be.
func nextAged(x *index) time.Duration {
	var next time.Duration
	for _, m := range x.active {
		if m.Protected || x.aged(m) {
			continue
		}
		if at := x.Rollout.RestartedAt; at != nil {
			next = nodestate.Sooner(next, at.Sub(x.Now))
		}
		if most := x.Rollout.MaxAge; most != nil {
			next = nodestate.Sooner(next, m.Created.Add(most.Duration).Sub(x.Now))
		}
	}
	return next
}
