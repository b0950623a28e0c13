package pool

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// blockedBy makes the cause and the words of what is blocked. Without a cause it passes by itself in bounded time.
func blockedBy(by v1alpha1.BlockedCause, reason, message string) *nodestate.Blocked {
	return &nodestate.Blocked{By: by, Problem: condition.Problem{reason, message}}
}

// firstProblem is firstBlocked without the cause.
func (x *index) firstProblem(of func(*Member) bool) *condition.Problem {
	if b := x.firstBlocked(of); b != nil {
		return &b.Problem
	}
	return nil
}

// firstBlocked returns what blocks an active member for which of holds; nil: none is blocked. Members come in any
// order, and a condition of the pool must not change with it, so the first by name counts.
func (x *index) firstBlocked(of func(*Member) bool) *nodestate.Blocked {
	for _, m := range x.blocked {
		if of(m) {
			return m.Blocked
		}
	}
	return nil
}

func anyMember(*Member) bool { return true }

// blockedByTemplate reports whether a blocked member is blocked by what its template says or names. Other causes lie
// elsewhere, such as in a Nomad that gives no introduction token, or in hosts that are full.
func blockedByTemplate(m *Member) bool {
	switch m.Blocked.By {
	case v1alpha1.BlockedByTemplate, v1alpha1.BlockedByAdmission, v1alpha1.BlockedByQuota:
		return true
	default:
		return false
	}
}

// blocksOthers reports whether the next member of the present template would be blocked as this blocked one is.
func (s *Snapshot) blocksOthers(m *Member) bool {
	return m.Revision == s.Revision && !nameTaken(m) && !m.worksUnderOtherID()
}

// worksUnderOtherID reports whether a member's guest has registered in Nomad under another ID, and has work there.
func (m *Member) worksUnderOtherID() bool {
	return m.Blocked != nil && m.Blocked.By == v1alpha1.BlockedByOtherNode
}

// nameTaken reports whether a member can't have a VM because an external VM has its name. The next member has another
// name.
func nameTaken(m *Member) bool {
	return m.Blocked != nil && m.Blocked.By == v1alpha1.BlockedByName
}
