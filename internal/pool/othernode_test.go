package pool_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// elsewhere is a member whose guest works in Nomad under another ID, and that should have joined by now.
func elsewhere(m *pool.Member) {
	late(m)
	m.Blocked = &nodestate.Blocked{By: v1alpha1.BlockedByOtherNode,
		Problem: condition.Problem{Reason: v1alpha1.ReasonNodeIDDiffers, Message: "registered as b"}}
}

func TestMemberUnderAnotherIDOfItsStatus(t *testing.T) {
	s := nodestate.State{Now: now, Nomad: nodestate.Nomad{Known: true}}
	s.Node = nodestate.Node{Name: "a", VMMade: true, Created: now.Add(-time.Hour), JoinTimeout: time.Minute,
		BlockedBy: v1alpha1.BlockedByOtherNode}
	if m := pool.MemberOf(s); m.Blocked == nil || m.Blocked.By != v1alpha1.BlockedByOtherNode || !m.JoinExpired {
		t.Errorf("%+v", m)
	}
}

// A guest that has work under another ID isn't replaced, is no evidence against the template, and keeps no other member
// from being made.
func TestGuestUnderAnotherIDIsNotReplaced(t *testing.T) {
	s := snapshot(3, member("a"), member("b", elsewhere))
	if p := pool.Decide(s); len(p.Failed)+len(p.Unhealthy)+len(p.Replace) > 0 || p.Create != 1 {
		t.Errorf("%+v", p)
	}
	if j := (pool.Joins{Key: "k", Since: now.Add(-time.Hour)}).Update("k", s); len(j.Results) > 0 {
		t.Errorf("%+v", j)
	}
	c := pool.Conditions(s, pool.Plan{}, pool.Outcome{})
	for _, kind := range []string{v1alpha1.PoolReady, v1alpha1.PoolStalled} {
		if c[kind].Reason != v1alpha1.ReasonNodeIDDiffers {
			t.Errorf("%s: %+v", kind, c[kind])
		}
	}
}

// Under a strategy that lets only empty members leave, one with work under another ID stays.
func TestGuestUnderAnotherIDIsNotEmpty(t *testing.T) {
	s := snapshot(1, member("a"), member("b", elsewhere))
	s.ScaleIn.Strategy, s.Usage = v1alpha1.Empty, map[string]pool.Usage{"a": {Allocations: 1}}
	if p := pool.Decide(s); len(p.Victims) > 0 {
		t.Errorf("%q leave", p.Victims)
	}
}
