package sim

import (
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// ordered keeps the books on a member's order to leave, whoever writes it.
func (m *memberTruth) ordered(d *v1alpha1.DrainRequest, now time.Time) {
	order, marked := "", ""
	if d != nil {
		marked = d.ID
		if !d.Canceled {
			order = d.ID
		}
	}
	if m.order != order {
		m.over[m.order] = now
	}
	if m.marked != "" && marked == "" {
		m.unmarked = now
	}
	m.order, m.marked = order, marked
}

// stands is true for an intent that stands, or did since; empty: any.
func (m *memberTruth) stands(intent string, since time.Time) bool {
	if intent != "" {
		return m.order == intent || m.over[intent].After(since)
	}
	for of, at := range m.over {
		if of != "" && at.After(since) {
			return true
		}
	}
	return m.order != ""
}

// readAt is since when something may have changed that a task couldn't see: its cache lagged behind when it began.
func (t *task) readAt() time.Time { return t.began.Add(-mostLag) }
