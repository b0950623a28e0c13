package pool_test

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	present = "rev-2"
	former  = "rev-1"
)

// snapshot is a pool that is as its replicas ask, but for its members. It leaves outdated ones alone.
func snapshot(replicas int, members ...pool.Member) pool.Snapshot {
	return pool.Snapshot{
		Now: now, Replicas: replicas, Revision: present, Members: members,
		Rollout:    v1alpha1.RolloutSpec{Type: v1alpha1.OnDelete},
		NomadKnown: true, NomadReason: v1alpha1.ReasonReachable, NomadMessage: "Nomad answers.",
	}
}

type memberChange func(*pool.Member)

func member(name string, changes ...memberChange) pool.Member {
	m := pool.Member{Name: name, Revision: present, Created: now.Add(-time.Hour), Joined: true, Ready: true, VMMade: true,
		CreateIndex: 10}
	for _, c := range changes {
		c(&m)
	}
	return m
}

func pending(m *pool.Member)    { m.Joined, m.Ready, m.VMMade, m.CreateIndex = false, false, false, 0 }
func young(m *pool.Member)      { m.Created = now.Add(-time.Minute) }
func joining(m *pool.Member)    { m.Joined, m.Ready, m.CreateIndex = false, false, 0 }
func late(m *pool.Member)       { joining(m); m.JoinExpired, m.JoinDeadline = true, now.Add(-time.Minute) }
func notReady(m *pool.Member)   { m.Ready = false }
func down(m *pool.Member)       { notReady(m); m.Down = true }
func notAsked(m *pool.Member)   { m.NomadUnknown, m.NomadNotAsked = true, true }
func canceling(m *pool.Member)  { m.CancelingDrain = true }
func outdated(m *pool.Member)   { m.Revision = former }
func protected(m *pool.Member)  { m.Protected = true }
func deleteNext(m *pool.Member) { m.DeleteNext = true }

func refused(m *pool.Member) {
	pending(m)
	m.Blocked = &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
		Problem: condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: "webhook said no"}}
}

// lacks is a member without a VM, for a reason that isn't its template's.
func lacks(reason string) memberChange {
	return func(m *pool.Member) {
		pending(m)
		m.Blocked = blocked(reason)
	}
}

// blocked is what a reason that doesn't lie in the template blocks with.
func blocked(reason string) *nodestate.Blocked {
	by := map[string]v1alpha1.BlockedCause{
		v1alpha1.ReasonVMNameTaken: v1alpha1.BlockedByName, v1alpha1.ReasonIntroductionToken: v1alpha1.BlockedByToken,
		v1alpha1.ReasonCreateFailed: v1alpha1.BlockedByFailure, v1alpha1.ReasonQuotaExceeded: v1alpha1.BlockedByQuota,
	}[reason]
	return &nodestate.Blocked{By: by, Problem: condition.Problem{Reason: reason, Message: "in the server's words"}}
}

// noCapacity is a member whose VM can't run for lack of capacity.
func noCapacity(m *pool.Member) {
	joining(m)
	m.Blocked = &nodestate.Blocked{By: v1alpha1.BlockedByCapacity,
		Problem: condition.Problem{Reason: v1alpha1.ReasonVMUnschedulable, Message: "0/3 nodes are available"}}
}

// leaving has had a drain request for so long.
func leaving(ago time.Duration) memberChange {
	return func(m *pool.Member) { m.Leaving, m.Ready, m.LeavingSince = true, false, now.Add(-ago) }
}

// reclaimable is leaving, and its drain can still be canceled.
func reclaimable(ago time.Duration) memberChange {
	return func(m *pool.Member) { leaving(ago)(m); m.Reclaimable = true }
}

func index(i uint64) memberChange { return func(m *pool.Member) { m.CreateIndex = i } }
func age(d time.Duration) memberChange {
	return func(m *pool.Member) { m.Created = now.Add(-d) }
}

// some are n members called <prefix>0, <prefix>1 and so on.
func some(n int, prefix string, changes ...memberChange) []pool.Member {
	var out []pool.Member
	for i := range n {
		out = append(out, member(fmt.Sprint(prefix, i), changes...))
	}
	return out
}

func all(groups ...[]pool.Member) []pool.Member {
	var out []pool.Member
	for _, g := range groups {
		out = append(out, g...)
	}
	return out
}

func ptr[T any](v T) *T { return &v }

func window(d time.Duration) *metav1.Duration { return &metav1.Duration{Duration: d} }

func reason(p *condition.Problem) string {
	if p == nil {
		return ""
	}
	return p.Reason
}

func scaleOutBlocked(p pool.Plan) *condition.Problem {
	if p.ScaleOutBlocked == nil {
		return nil
	}
	return &p.ScaleOutBlocked.Problem
}

// planCase is a pool and what must be planned for it.
type planCase struct {
	name                            string
	s                               pool.Snapshot
	change                          func(*pool.Snapshot)
	create                          int
	cancel, victims                 []string
	scaleOutBlocked, scaleInBlocked string // reasons
	wake                            time.Duration
}

func runPlans(t *testing.T, cases []planCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.s)
			}
			p := pool.Decide(c.s)
			got := fmt.Sprintf("create %d, cancel %q, victims %q, scale-out blocked by %q, scale-in blocked by %q, wake %s",
				p.Create,
				p.CancelDrains, p.Victims, reason(scaleOutBlocked(p)), reason(p.ScaleInBlocked), p.Wake)
			want := fmt.Sprintf("create %d, cancel %q, victims %q, scale-out blocked by %q, scale-in blocked by %q, wake %s",
				c.create, c.cancel,
				c.victims, c.scaleOutBlocked, c.scaleInBlocked, c.wake)
			if got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if acts := c.create > 0 || len(c.cancel) > 0 || len(c.victims) > 0; p.Acts() != acts {
				t.Errorf("Acts is %t, want %t", p.Acts(), acts)
			}
		})
	}
}

func paused(s *pool.Snapshot)   { s.Paused = true }
func deleting(s *pool.Snapshot) { s.Deleting = true }
func nomadUnknown(s *pool.Snapshot) {
	s.NomadKnown, s.NomadReason, s.NomadMessage = false, v1alpha1.ReasonUnreachable, "Nomad doesn't answer."
}

// joinsFor gives a member that has joined for so long a deadline, of a pool whose joinTimeout is that of tended.
func joinsFor(d time.Duration) memberChange {
	return func(m *pool.Member) { m.JoinDeadline = now.Add(10*time.Minute - d) }
}
