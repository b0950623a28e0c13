package node

import (
	"errors"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// waiting is a member whose VM Harvester halted for a quota when it was made, so long ago as its token.
func waiting(age time.Duration, token string) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		secret := secretWith(n, token)
		introduced(secret, token, now.Add(-age))
		objects := running(n, s, nomad.Node{})
		n.Status.JoinedTime, s.nomad.view.Nodes = nil, nil
		vm := objects[0].(*kubevirtv1.VirtualMachine)
		vm.Spec.RunStrategy = ptr.To(kubevirtv1.RunStrategyHalted)
		vm.Annotations = map[string]string{nodestate.AboveQuotaAnnotation: "cpu"}
		return []client.Object{vm, secret}
	})
}

func (s *fixture) started(t *testing.T) bool {
	t.Helper()
	return *s.vm(t).Spec.RunStrategy != kubevirtv1.RunStrategyHalted
}

// A VM that got no capacity for so long that its introduction token is about to expire is started with a new one.
func TestTokenOfAWaitingGuestIsRenewedBeforeItStarts(t *testing.T) {
	for name, c := range map[string]struct {
		age     time.Duration
		token   string
		refused error
		renewed bool
		started bool
	}{
		"fresh":                   {19 * time.Minute, "a.b.c", nil, false, true},
		"stale":                   {20 * time.Minute, "a.b.c", nil, true, true},
		"stale, and Nomad's no":   {time.Hour, "a.b.c", errors.New("no"), false, false},
		"it was made without":     {time.Hour, "", nil, false, true},
		"expired for a long time": {100 * time.Hour, "a.b.c", nil, true, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := waiting(c.age, c.token)
			s.nomad.token = c.refused
			before := s.secret(t)
			res := s.reconcile(t)
			after := s.secret(t)
			if got := strings.Contains(string(after.Data["userdata"]), "jwt-of-now"); got != c.renewed {
				t.Errorf("renewed: %t", got)
			}
			if got := s.started(t); got != c.started {
				t.Errorf("started: %t", got)
			}
			if c.refused != nil && res.RequeueAfter != renewRetry {
				t.Errorf("tries again after %s", res.RequeueAfter)
			}
			if !c.renewed {
				return
			}
			if got := after.Annotations[v1alpha1.IntroductionTimeAnnotation]; got != now.UTC().Format(time.RFC3339) {
				t.Errorf("made at %q", got)
			}
			after.Data["userdata"], after.ResourceVersion = before.Data["userdata"], before.ResourceVersion
			after.Annotations = before.Annotations
			if !equality.Semantic.DeepEqual(before, after) {
				t.Errorf("more was changed: %+v, was %+v", after, before)
			}
		})
	}
}

// What somebody has made of the Secret stays, and doesn't keep the VM from starting.
func TestEditedSecretIsNotRenewed(t *testing.T) {
	s := waiting(time.Hour, "a.b.c")
	secret := s.secret(t)
	secret.Data["userdata"] = []byte("#!/bin/sh\n")
	if err := s.Client.Update(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	s.reconcile(t)
	if !s.started(t) || string(s.secret(t).Data["userdata"]) != "#!/bin/sh\n" || len(s.nomad.calls) > 0 {
		t.Errorf("started: %t, asked for %q", s.started(t), s.nomad.calls)
	}
}

// The Secret of a new member says when its token was made.
func TestNewSecretTellsWhenItsTokenWasMade(t *testing.T) {
	for mode, want := range map[v1alpha1.IntroductionTokenMode]string{
		v1alpha1.IntroductionAuto: now.UTC().Format(time.RFC3339), v1alpha1.IntroductionNever: "",
	} {
		s := notMade(0, mode)
		s.reconcile(t)
		if got := s.secret(t).Annotations[v1alpha1.IntroductionTimeAnnotation]; got != want {
			t.Errorf("%s: %q", mode, got)
		}
	}
}
