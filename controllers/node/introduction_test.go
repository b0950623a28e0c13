package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
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

// What blocked a member blocks it still after a restart, until Nomad has been asked: a pool makes more members of a
// template that blocks nobody.
func TestRestartKeepsWhatBlocksAMember(t *testing.T) {
	for name, block := range map[string]func(s *fixture){
		"no token": func(s *fixture) {
			s.nomad.token = errors.New("Permission denied")
		},
		"no quota for the Secret": func(s *fixture) {
			s.fails(func(verb string, o client.Object) error {
				if _, secret := o.(*corev1.Secret); secret && verb == "create" {
					return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "p-1", errors.New("exceeded quota: q"))
				}
				return nil
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := notMade(0, v1alpha1.IntroductionAlways)
			block(s)
			s.reconcile(t)
			before := s.node(t)
			if before.Status.BlockedBy == "" {
				t.Fatalf("not blocked: %+v", before.Status)
			}
			s.pace, s.facts, s.nomad.view = kube.Pace{}, factsCache{}, nomad.View{}
			s.clock.SetTime(now.Add(time.Minute))
			s.reconcile(t)
			if after := s.node(t); after.ResourceVersion != before.ResourceVersion {
				t.Errorf("%+v\nbecame %+v", before.Status, after.Status)
			}
		})
	}
}
