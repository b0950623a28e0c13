package pool

import "time"

// upToDate is true for a member that no rollout need replace: it was made from the present template, neither before
// rollout.restartedAt nor longer ago than rollout.maxAge, and is in the pool's Nomad cluster.
func (s Snapshot) upToDate(m Member) bool {
	return m.Revision == s.Revision && !m.Elsewhere && !s.aged(m)
}

// aged is true for a member that is to be replaced for the time at which it was made. A restartedAt that lies ahead
// says nothing yet: whoever was made meanwhile would be too old as well, again and again.
func (s Snapshot) aged(m Member) bool {
	if at := s.Rollout.RestartedAt; at != nil && !s.Now.Before(at.Time) && m.Created.Before(at.Time) {
		return true
	}
	most := s.Rollout.MaxAge
	return most != nil && most.Duration > 0 && !s.Now.Before(m.Created.Add(most.Duration))
}

// nextAged is how long it takes until another member is to be replaced for its age; 0: none will be.
func (s Snapshot) nextAged() time.Duration {
	var next time.Duration
	for _, m := range s.active() {
		if m.Protected || s.aged(m) {
			continue
		}
		var ends []time.Time
		if at := s.Rollout.RestartedAt; at != nil {
			ends = append(ends, at.Time)
		}
		if most := s.Rollout.MaxAge; most != nil {
			ends = append(ends, m.Created.Add(most.Duration))
		}
		for _, end := range ends {
			if left := end.Sub(s.Now); left > 0 && (next == 0 || left < next) {
				next = left
			}
		}
	}
	return next
}
