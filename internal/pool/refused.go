package pool

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// ofTemplate is true for what lies in what a member's template says or names. The rest lies elsewhere, such as in a
// Nomad that gives no introduction token, or in hosts that are full.
func ofTemplate(by v1alpha1.BlockedCause) bool {
	return by == v1alpha1.BlockedByTemplate || by == v1alpha1.BlockedByAdmission || by == v1alpha1.BlockedByQuota
}

// nameTaken is true for a member that can't have a VM because somebody else's has its name. The next one has another.
func nameTaken(m *Member) bool {
	return m.Blocked != nil && m.Blocked.By == v1alpha1.BlockedByName
}

// firstProblem is what keeps an active member from being made, or from running, in words; nil: nothing.
func (x *index) firstProblem(of func(*Member) bool) *condition.Problem {
	if b := x.firstBlocked(of); b != nil {
		return &b.Problem
	}
	return nil
}

// firstBlocked is what keeps an active member from being made, or from running; nil: nothing. Members come in any order,
// and what is said of the pool must not change with it, so it is that of the first by name.
func (x *index) firstBlocked(of func(*Member) bool) *nodestate.Blocked {
	for _, m := range x.blocked {
		if of(m) {
			return m.Blocked
		}
	}
	return nil
}

func templatesProblem(m *Member) bool { return ofTemplate(m.Blocked.By) }

func anyProblem(*Member) bool { return true }

// holdsOthers is true for a member whose problem the next one of the present template would have as well.
func (s *Snapshot) holdsOthers(m *Member) bool {
	return m.Revision == s.Revision && !nameTaken(m)
}
