package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const (
	// keptResults is how many results are kept.
	keptResults = 10
	// judgedResults is how many of them, the newest, say if registration is healthy.
	judgedResults = 4
	// breakerOpensAt is how many members in a row must have failed to join for no more to be made.
	breakerOpensAt = 3
	// backOffStep is how long the next member waits after one that failed to join, and as long again for each one before
	// that. After the third no more are made.
	backOffStep = 10 * time.Second
)

// Joins is how the last members fared that tried to join Nomad: the evidence for whether the template works at all.
type Joins struct {
	// Key stands for what the evidence belongs to: template, connection, and the user's wish to try again.
	Key string
	// Since is when the evidence began. What happened before doesn't count.
	Since time.Time
	// Results are ordered by time.
	Results []JoinResult
}

// JoinResult is how one member fared.
type JoinResult struct {
	Member string
	Joined bool
	Time   time.Time
}

// Record adds what can be seen of the members of the present template by now: how others fare says nothing of it. It
// gives the same again until something new is seen. While Nomad isn't known nothing is recorded: nobody could have
// been seen to join.
func (j Joins) Record(key string, s Snapshot) Joins {
	if j.Key != key {
		j = Joins{Key: key, Since: s.Now.Truncate(time.Second)}
	}
	if !s.NomadKnown {
		return j
	}
	results := slices.Clone(j.Results)
	for i := range s.Members {
		m := &s.Members[i]
		if m.Revision != s.Revision {
			continue
		}
		r, ok := resultOf(&s, m)
		at := slices.IndexFunc(results, func(old JoinResult) bool { return old.Member == m.Name })
		switch {
		case !ok || !r.Time.After(j.Since):
		case at >= 0 && r.Joined && !results[at].Joined:
			results[at] = r // later than it should have, but it did
		case at >= 0:
		case len(results) >= keptResults && !r.Time.After(results[0].Time):
			// Older than all that are kept: forgotten before.
		default:
			results = append(results, r)
		}
	}
	slices.SortFunc(results, func(a, b JoinResult) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Member, b.Member)
	})
	j.Results = results[max(len(results)-keptResults, 0):]
	return j
}

// resultOf is how a member fared; ok is false while that is open. A member that left before its time was up says
// nothing, nor does one that may be kept from joining by something else than the template: a Nomad that its clients
// couldn't reach until a moment ago, or Harvester, while it is upgraded or the host is in maintenance.
func resultOf(s *Snapshot, m *Member) (r JoinResult, ok bool) {
	switch {
	case m.Joined:
		return JoinResult{m.Name, true, m.JoinedAt.Truncate(time.Second)}, !m.JoinedAt.IsZero()
	case s.recoveryLeft() > 0 || s.Upgrade != nil || m.HostMaintenance:
		return JoinResult{}, false
	case m.JoinExpired && !m.Halted && m.Blocked == nil && (!m.Leaving || m.LeavingReason == v1alpha1.DrainJoinTimeout):
		return JoinResult{m.Name, false, m.JoinDeadline.Truncate(time.Second)}, true
	default:
		return JoinResult{}, false
	}
}

// failures is how many of the newest results in a row are failures, and when the last of them was.
func (j Joins) failures() (n int, last time.Time) {
	for i := len(j.Results) - 1; i >= 0 && !j.Results[i].Joined; i-- {
		n++
	}
	if n > 0 {
		last = j.Results[len(j.Results)-1].Time
	}
	return n, last
}

// BreakerOpen is true when so many members in a row didn't join that the template, the image or the network plainly
// doesn't work: nothing is made and nothing replaced until that changes, and the VMs that failed stay, to be looked at.
func (j Joins) BreakerOpen() bool {
	n, _ := j.failures()
	return n >= breakerOpensAt
}

// flaky is true when two or more of the newest results are failures, and at least half of them.
func (j Joins) flaky() bool {
	newest := j.Results[max(len(j.Results)-judgedResults, 0):]
	failed := 0
	for _, r := range newest {
		if !r.Joined {
			failed++
		}
	}
	return failed >= 2 && 2*failed >= len(newest)
}

// backOff is how much longer the next member waits.
func backOff(s *Snapshot) time.Duration {
	n, last := s.Joins.failures()
	if n == 0 {
		return 0
	}
	return last.Add(time.Duration(n) * backOffStep).Sub(s.Now)
}

// probe limits what is made after a failure: one member at a time, and not before the back-off has passed.
func probe(x *index, p *Plan) {
	if p.Create == 0 {
		return
	}
	n, _ := x.Joins.failures()
	switch left := backOff(&x.Snapshot); {
	case n == 0:
	case n >= breakerOpensAt:
		p.Create = 0
		p.HoldOut = joinsFailing
	case left > 0:
		p.Create = 0
		p.HoldOut = held("", v1alpha1.ReasonBackOff,
			"The next member waits for a while, because the last one didn't join Nomad.")
		p.wakeIn(left)
	default:
		if p.Create = min(p.Create, max(1-len(x.joining), 0)); p.Create == 0 {
			p.HoldOut = held("", v1alpha1.ReasonBackOff,
				"Members are made one at a time until one joins Nomad, because the last one didn't.")
		}
	}
}

// joinsFailing holds a pool whose breaker is open, also if it has as many members as asked for, all of which failed.
var joinsFailing = held(v1alpha1.BlockedByJoins, v1alpha1.ReasonJoinsFailing,
	"No member is made, because the last ones didn't join Nomad; see the condition JoinsHealthy.")

// isJoining reports whether a member is on its way to join. One that can't be made, or can't run, isn't.
func (m *Member) isJoining() bool { return !m.Joined && !m.JoinExpired && m.Blocked == nil }
