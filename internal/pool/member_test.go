package pool_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// works is a member that was ready in Nomad for an hour when its status was written.
func works(changes ...func(*nodestate.State)) nodestate.State {
	s := nodestate.State{Now: now,
		Node: nodestate.Node{Name: "a", VMMade: true, Joined: true, Ready: true, ReadySince: now.Add(-time.Hour)},
		Nomad: nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true, CreateIndex: 7,
			DrainID: "request-0"}}
	for _, c := range changes {
		c(&s)
	}
	return s
}

func status(status string) func(*nodestate.State) {
	return func(s *nodestate.State) { s.Nomad.Status = status }
}

func blockedOf(by v1alpha1.BlockedCause) func(*nodestate.State) {
	return func(s *nodestate.State) { s.Node.BlockedBy = by }
}

func gone(s *nodestate.State) { s.Nomad = nodestate.Nomad{Known: true} }

// Nomad is believed before the member's own status, which may be old.
func TestMemberWorksIfNomadSaysSo(t *testing.T) {
	written := func(s *nodestate.State) { s.Node.Ready, s.Node.ReadySince = false, time.Time{} }
	for name, c := range map[string]struct {
		s           nodestate.State
		ready, down bool
		since       time.Duration
	}{
		"works":                            {works(), true, false, time.Hour},
		"works, its status doesn't say so": {works(written), true, false, 0},
		"down":                             {works(status("down")), false, true, time.Hour},
		"disconnected":                     {works(status("disconnected")), false, false, time.Hour},
		"not in Nomad":                     {works(gone), false, false, time.Hour},
		"not in Nomad, which had a node of its ID down": {works(status("down"), func(s *nodestate.State) {
			s.Nomad.Registered = false
		}), false, false, time.Hour},
		"ineligible":                      {works(func(s *nodestate.State) { s.Nomad.Eligible = false }), false, false, time.Hour},
		"the ID is of another one's node": {works(func(s *nodestate.State) { s.Node.IDTaken = true }), false, false, time.Hour},
		"Nomad unknown":                   {works(func(s *nodestate.State) { s.Nomad = nodestate.Nomad{} }), true, false, time.Hour},
	} {
		m := pool.MemberOf(c.s)
		if m.Ready != c.ready || m.Down != c.down || !m.ReadySince.Equal(now.Add(-c.since)) {
			t.Errorf("%s: ready %t since %s, down %t", name, m.Ready, m.ReadySince, m.Down)
		}
	}
	for phase, want := range map[v1alpha1.NodePhase]bool{v1alpha1.NodePhaseReady: true, v1alpha1.NodeIneligible: false} {
		s := works(written, func(s *nodestate.State) { s.Node.Phase = phase })
		known := pool.MemberOf(s)
		s.Nomad = nodestate.Nomad{}
		if unknown := pool.MemberOf(s); known.WorkedLast || unknown.Ready || unknown.WorkedLast != want {
			t.Errorf("phase %s: Nomad known: %t, unknown: %t", phase, known.WorkedLast, unknown.WorkedLast)
		}
	}
	if m := pool.MemberOf(works(status("down"), written)); !m.ReadySince.IsZero() {
		t.Errorf("one that is down was never ready, and is since %s", m.ReadySince)
	}
}

func TestMemberIsBlockedByWhatItsStatusSays(t *testing.T) {
	unmade := func(s *nodestate.State) { gone(s); s.Node = nodestate.Node{Name: "a"} }
	for name, c := range map[string]struct {
		s                      nodestate.State
		blocked, halted, stuck bool
	}{
		"nothing":                         {s: works(gone)},
		"works, whatever was written":     {s: works(blockedOf(v1alpha1.BlockedByCapacity))},
		"no capacity":                     {s: works(gone, blockedOf(v1alpha1.BlockedByCapacity)), blocked: true},
		"refused":                         {s: works(unmade, blockedOf(v1alpha1.BlockedByAdmission)), blocked: true},
		"refused, and its VM is made now": {s: works(gone, blockedOf(v1alpha1.BlockedByAdmission))},
		"halted":                          {s: works(gone, blockedOf(v1alpha1.BlockedByHalt)), halted: true},
		"its VM doesn't go":               {s: works(gone, blockedOf(v1alpha1.BlockedByRemoval)), stuck: true},
	} {
		m := pool.MemberOf(c.s)
		if (m.Blocked != nil) != c.blocked || m.Halted != c.halted || m.Stuck != c.stuck {
			t.Errorf("%s: blocked by %+v, halted %t, stuck %t", name, m.Blocked, m.Halted, m.Stuck)
		}
	}
}

// A drain is canceled only if that gives back a member that works.
func TestMemberIsReclaimable(t *testing.T) {
	drains := func(reason v1alpha1.DrainReason, changes ...func(*nodestate.State)) nodestate.State {
		s := works(changes...)
		s.Node.Drain = nodestate.NewDrainRequest("request-1", reason, now.Add(-time.Minute), now.Add(time.Hour))
		s.Nomad.Batch.Known = true
		return s
	}
	drainsBy := func(id string) func(*nodestate.State) {
		return func(s *nodestate.State) { s.Nomad.Draining, s.Nomad.DrainID = true, id }
	}
	for name, c := range map[string]struct {
		s    nodestate.State
		want bool
	}{
		"scale-in":                   {drains(v1alpha1.DrainScaleIn), true},
		"rollout":                    {drains(v1alpha1.DrainRollout), true},
		"didn't work":                {drains(v1alpha1.DrainUnhealthy), false},
		"deleted":                    {drains(v1alpha1.DrainDeleted), false},
		"its own drain runs":         {drains(v1alpha1.DrainScaleIn, drainsBy("request-1")), true},
		"somebody else's drain runs": {drains(v1alpha1.DrainScaleIn, drainsBy("")), false},
		"drained":                    {drains(v1alpha1.DrainScaleIn, func(s *nodestate.State) { s.Node.Drained = true }), false},
		"its NomadNode is deleted":   {drains(v1alpha1.DrainScaleIn, func(s *nodestate.State) { s.Node.DeletedAt = now }), false},
		"its node is down":           {drains(v1alpha1.DrainScaleIn, status("down")), false},
	} {
		if m := pool.MemberOf(c.s); m.Reclaimable != c.want || m.LeavingReason != c.s.Node.Drain.Reason {
			t.Errorf("%s: %t, want %t; leaves for %s", name, m.Reclaimable, c.want, m.LeavingReason)
		}
	}
}
