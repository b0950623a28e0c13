package node

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// While Nomad is away members are made without a token, unless Nomad is known to give tokens: it may require them, and
// the member could never join.
func TestMembersWaitForANomadThatIntroduces(t *testing.T) {
	away := nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
	for name, c := range map[string]struct {
		mode       v1alpha1.IntroductionTokenMode
		introduces bool
		waits      bool
	}{
		"auto, never given":   {v1alpha1.IntroductionAuto, false, false},
		"auto, given before":  {v1alpha1.IntroductionAuto, true, true},
		"always":              {v1alpha1.IntroductionAlways, false, true},
		"never, given before": {v1alpha1.IntroductionNever, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := notMade(0, c.mode)
			s.nomad.view = nomad.View{Health: away, Introduces: c.introduces}
			s.nomad.token = nomad.ErrUnreachable
			s.reconcile(t)
			if got := s.userData(t) == ""; got != c.waits {
				t.Errorf("waits: %t", got)
			}
			vmReady := nodestate.Condition(s.node(t), v1alpha1.NodeVMReady)
			if reported := vmReady.Reason == v1alpha1.ReasonIntroductionToken; reported != c.waits {
				t.Errorf("got %+v", vmReady)
			}
			if !c.waits {
				return
			}
			s.nomad.token = nil
			s.reconcile(t)
			if !strings.Contains(s.userData(t), "jwt-of-now") {
				t.Error("the Secret has no token")
			}
		})
	}
}

// Members check tokens unless their Nomad is known to have no ACLs: an agent that doesn't check them lets everybody in
// who reaches it.
func TestMembersEnforceACLs(t *testing.T) {
	for name, c := range map[string]struct {
		view nomad.View
		on   bool
	}{
		"with ACLs":     {nomad.View{Taken: now, Health: nomad.Health{State: nomad.HealthReachable}}, true},
		"without ACLs":  {nomad.View{Taken: now, Health: nomad.Health{State: nomad.HealthReachable}, NoACLs: true}, false},
		"Nomad is away": {nomad.View{Health: nomad.Health{State: nomad.HealthUnreachable}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := notMade(0, v1alpha1.IntroductionAuto)
			s.nomad.view = c.view
			s.reconcile(t)
			if got := strings.Contains(s.userData(t), "acl {"); got != c.on || s.userData(t) == "" {
				t.Errorf("acl: %t, in %q", got, s.userData(t))
			}
		})
	}
}
