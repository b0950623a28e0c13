package sim

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// ordered keeps the books on a member's drain request, whoever writes it.
func (m *memberTruth) requested(d *v1alpha1.DrainRequest, now time.Time) {
	order, marked := "", ""
	if d != nil {
		marked = d.ID
		if !d.Canceled {
			order = d.ID
		}
	}
	if m.current != order {
		m.over[m.current] = now
	}
	if m.marked != "" && marked == "" {
		m.unmarked = now
	}
	m.current, m.marked = order, marked
}

// stands reports whether a drain request stands, or did since; empty: any.
func (m *memberTruth) inForce(request string, since time.Time) bool {
	if request != "" {
		return m.current == request || m.over[request].After(since)
	}
	for of, at := range m.over {
		if of != "" && at.After(since) {
			return true
		}
	}
	return m.current != ""
}

// readAt is since when something may have changed that a task couldn't see: its cache lagged behind when it began.
func (t *task) readAt() time.Time { return t.began.Add(-mostLag) }
