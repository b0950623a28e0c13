package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
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

// secretWith is a member's Secret as it is made; token: empty for none.
func secretWith(n *v1alpha1.NomadNode, token string) *corev1.Secret {
	m := blueprint.MemberOf(n)
	m.IntroductionToken = token
	secret, err := cloudinit.Secret(m, blueprint.Facts{})
	if err != nil {
		panic(err)
	}
	return secret
}

// justJoined is a member that has just joined, with a VM that the status doesn't tell of yet if that is unseen.
func justJoined(seen bool) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := append(running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true}), secretWith(n, "a.jwt.of-then"))
		n.Status.JoinedTime, n.Status.HasIntroductionToken = nil, true
		if !seen {
			n.Status.VM.UID, n.Status.HasIntroductionToken = "", false
			objects[0].SetLabels(map[string]string{v1alpha1.PoolLabel: "p"})
			objects[0].SetAnnotations(map[string]string{v1alpha1.PoolUIDAnnotation: "u", v1alpha1.MemberAnnotation: "p-1",
				v1alpha1.NodeIDAnnotation: testNodeID})
		}
		return objects
	})
}

func (s *fixture) secret(t *testing.T) *corev1.Secret {
	t.Helper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: "ns", Name: blueprint.SecretName(blueprint.MemberOf(s.node(t)))}
	if err := s.Client.Get(t.Context(), key, secret); err != nil {
		t.Fatal(err)
	}
	return secret
}

// The token is taken out of the Secret by one write, which is reported with the joining, and nothing else of it changes.
func TestIntroductionIsRemovedOnceTheMemberHasJoined(t *testing.T) {
	s := justJoined(true)
	writes := s.counted(func(string) error { return nil })
	before := s.secret(t)
	s.reconcile(t)
	after := s.secret(t)
	if strings.Contains(string(after.Data["userdata"]), "jwt") || len(after.Data["userdata"]) == 0 {
		t.Errorf("the Secret holds %s", after.Data["userdata"])
	}
	after.Data["userdata"], after.ResourceVersion = before.Data["userdata"], before.ResourceVersion
	if !equality.Semantic.DeepEqual(before, after) {
		t.Errorf("more was changed: %+v, was %+v", after, before)
	}
	n := s.node(t)
	if n.Status.HasIntroductionToken || n.Status.JoinedTime == nil || n.Status.Phase != v1alpha1.NodePhaseReady {
		t.Errorf("got %+v", n.Status)
	}
	s.reconcile(t)
	if got := strings.Join(*writes, ", "); got != "patch v1.Secret, patch status of v1alpha1.NomadNode" {
		t.Errorf("wrote %s", got)
	}
}

// If the Secret can't be written the member works all the same, and it is tried again.
func TestIntroductionStaysToldUntilItIsRemoved(t *testing.T) {
	s := justJoined(true)
	broken := true
	s.fails(func(verb string, o client.Object) error {
		if _, secret := o.(*corev1.Secret); secret && verb == "patch" && broken {
			return apierrors.NewForbidden(schema.GroupResource{Resource: "secrets"}, "p-1", errors.New("no"))
		}
		return nil
	})
	if res := s.reconcile(t); res.RequeueAfter <= 0 {
		t.Errorf("reconciles again after %s", res.RequeueAfter)
	}
	if n := s.node(t); n.Status.JoinedTime == nil || !n.Status.HasIntroductionToken {
		t.Errorf("got %+v", n.Status)
	}
	broken = false
	s.reconcile(t)
	if s.node(t).Status.HasIntroductionToken || strings.Contains(s.userData(t), "jwt") {
		t.Error("it is still there")
	}
}

// After a crash between the VM and the status the Secret is looked at.
func TestIntroductionIsFoundAfterACrash(t *testing.T) {
	s := justJoined(false)
	s.reconcile(t)
	s.reconcile(t)
	if strings.Contains(s.userData(t), "jwt") || s.node(t).Status.HasIntroductionToken {
		t.Errorf("it is still there: %+v", s.node(t).Status)
	}
}

// A Secret that somebody has broken or taken away is left as it is.
func TestIntroductionIsLeftWhereItCantBeRead(t *testing.T) {
	for name, change := range map[string]func(s *corev1.Secret){
		"no YAML":        func(s *corev1.Secret) { s.Data["userdata"] = []byte("[ /opt/nomad/data/client/intro_token.jwt") },
		"no user data":   func(s *corev1.Secret) { s.Data = nil },
		"somebody's own": func(s *corev1.Secret) { s.Labels = nil },
	} {
		t.Run(name, func(t *testing.T) {
			s := justJoined(true)
			secret := s.secret(t)
			change(secret)
			if err := s.Client.Update(t.Context(), secret); err != nil {
				t.Fatal(err)
			}
			s.reconcile(t)
			if got := s.secret(t); got.ResourceVersion != secret.ResourceVersion || s.node(t).Status.HasIntroductionToken {
				t.Errorf("became %+v", got)
			}
		})
	}
}
