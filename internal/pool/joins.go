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
	// judgedResults is by how many of them, the newest, joining is judged flaky or not.
	judgedResults = 4
	// breakerOpensAt is how many members in a row must have failed to join for the breaker to open.
	breakerOpensAt = 3
	// backOffStep is how long the next member waits for each of the last members in a row that failed to join. After
	// breakerOpensAt of them no more are made.
	backOffStep = 10 * time.Second
)

// Joins is how the last members that tried to join Nomad fared: the evidence for whether the template works at all.
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

// Update adds the results of the members of the present template: how others fare proves nothing about it. It returns
// the same until there is something new. While Nomad is unknown it records nothing: no member could have been seen to
// join.
func (j Joins) Update(key string, s Snapshot) Joins {
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
		r, ok := s.joinResult(m)
		at := slices.IndexFunc(results, func(old JoinResult) bool { return old.Member == m.Name })
		switch {
		case !ok || !r.Time.After(j.Since):
		case at >= 0 && r.Joined && !results[at].Joined:
			results[at] = r // it joined after all, too late
		case at >= 0:
		case len(results) >= keptResults && !r.Time.After(results[0].Time):
			// It is older than all that are kept, and was dropped before.
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

// joinResult returns how a member fared; ok is false while that is open. A member that left before its time was up is
// no evidence, nor is one that may be kept from joining by something else than the template: a Nomad that its guest
// can't reach, or couldn't until a moment ago, an upgrade of Harvester, or the maintenance of its host.
func (s *Snapshot) joinResult(m *Member) (r JoinResult, ok bool) {
	switch {
	case m.Joined:
		return JoinResult{m.Name, true, m.JoinedAt.Truncate(time.Second)}, !m.JoinedAt.IsZero()
	case !s.judges(m) || s.Upgrade != nil || m.HostMaintenance:
		return JoinResult{}, false
	case m.JoinExpired && !m.Halted && m.Blocked == nil && (!m.Leaving || m.LeavingReason == v1alpha1.DrainJoinTimeout):
		return JoinResult{m.Name, false, m.JoinDeadline.Truncate(time.Second)}, true
	default:
		return JoinResult{}, false
	}
}

// failures returns how many of the newest results in a row are failures, and when the last of them was.
func (j Joins) failures() (n int, last time.Time) {
	for i := len(j.Results) - 1; i >= 0 && !j.Results[i].Joined; i-- {
		n++
	}
	if n > 0 {
		last = j.Results[len(j.Results)-1].Time
	}
	return n, last
}

// BreakerOpen reports whether so many members in a row didn't join that the template, the image or the network plainly
// doesn't work. Then nothing is made and nothing replaced until that changes, and the VMs that failed stay, so that
// people can inspect them.
func (j Joins) BreakerOpen() bool {
	n, _ := j.failures()
	return n >= breakerOpensAt
}

// flaky reports whether two or more of the newest results are failures, and at least half of them.
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

// backOffAfterFailure limits what is made after a failure: one member at a time, and not before the back-off has
// passed.
func backOffAfterFailure(x *index, p *Plan) {
	if p.Create == 0 {
		return
	}
	n, last := x.Joins.failures()
	left := last.Add(time.Duration(n) * backOffStep).Sub(x.Now)
	switch {
	case n == 0:
	case n >= breakerOpensAt:
		p.Create = 0
		p.ScaleOutBlocked = blockedByJoins
	case left > 0:
		p.Create = 0
		p.ScaleOutBlocked = blockedBy("", v1alpha1.ReasonBackOff,
			"The next member waits for a while, because the last one didn't join Nomad.")
		p.wakeIn(left)
	default:
		if most := max(1-len(x.joining), 0); p.Create > most {
			p.Create = most
			p.ScaleOutBlocked = blockedBy("", v1alpha1.ReasonBackOff,
				"Members are made one at a time until one joins Nomad, because the last one didn't.")
		}
	}
}

// blockedByJoins is of a pool whose breaker is open, also if it has as many members as asked for, all of which failed.
var blockedByJoins = blockedBy(v1alpha1.BlockedByJoins, v1alpha1.ReasonJoinsFailing,
	"No member is made, because the last ones didn't join Nomad; see the condition JoinsHealthy.")

// isJoining reports whether a member is on its way to join. One that can't be made, or can't run, isn't, and nor is one
// whose VM somebody has halted.
func (m *Member) isJoining() bool {
	return !m.Joined && !m.JoinExpired && m.Blocked == nil && !m.Halted
}
