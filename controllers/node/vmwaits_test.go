package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// drained is a member that scales in, was found empty an hour ago, and still has its VM. health is Nomad's now.
func drained(health nomad.Health, change func(n *v1alpha1.NomadNode) []client.Object) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady})
		s.nomad.view.Health = health
		ago := metav1.NewTime(now.Add(-time.Hour))
		n.DeletionTimestamp, n.Finalizers = &ago, []string{v1alpha1.NodeFinalizer}
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, ago.Time, ago.Time)
		n.Status.DrainResult = v1alpha1.DrainEmpty
		n.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.NodeDrainCompleted, Status: "True", Reason: v1alpha1.ReasonEmpty, LastTransitionTime: ago}}
		objects[0].SetAnnotations(map[string]string{nodestate.RemovedClaimsAnnotation: "c"})
		return append(objects, change(n)...)
	})
}

func nothing(*v1alpha1.NomadNode) []client.Object { return nil }

func (s *fixture) vmGone(t *testing.T) bool {
	t.Helper()
	err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, &kubevirtv1.VirtualMachine{})
	if client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return err != nil
}

// While Nomad can't be asked it isn't known if a drained node has got work since.
func TestVMOfADrainedMemberWaitsForNomad(t *testing.T) {
	away := nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
	pool := func(uid string, finalizers ...string) client.Object {
		p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p"}}
		p.UID, p.Finalizers = "u", finalizers
		if uid != "" {
			p.UID = "other"
		}
		if len(finalizers) > 0 {
			p.DeletionTimestamp = &metav1.Time{Time: now}
		}
		return p
	}
	for name, c := range map[string]struct {
		health nomad.Health
		change func(n *v1alpha1.NomadNode) []client.Object
		gone   bool
	}{
		"scales in": {away, func(*v1alpha1.NomadNode) []client.Object { return []client.Object{pool("")} }, false},
		"its pool is deleted": {away,
			func(*v1alpha1.NomadNode) []client.Object { return []client.Object{pool("", "foregroundDeletion")} }, true},
		"its pool is gone": {away, nothing, true},
		"another pool": {away, func(*v1alpha1.NomadNode) []client.Object { return []client.Object{pool("other")} },
			true},
		"not asked yet": {nomad.Health{State: nomad.HealthUnknown}, nothing, false},
		"a user deleted it": {away, func(n *v1alpha1.NomadNode) []client.Object {
			n.Spec.Drain.Reason = v1alpha1.DrainDeleted
			return []client.Object{pool("")}
		}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s := drained(c.health, c.change)
			s.nomad.refuses = nomad.ErrUnreachable // it isn't asked in vain
			if res := s.reconcile(t); !c.gone && res.RequeueAfter != 15*time.Second {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
			if s.vmGone(t) != c.gone {
				t.Errorf("the VM is gone: %t", !c.gone)
			}
		})
	}
}
