package pool

import (
	"context"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// Usage is of nodes without allocations.
func (n *nomadStub) Usage(_ context.Context, ids []string) (map[string]nomad.Usage, error) {
	if n.mute != nil {
		return nil, n.mute
	}
	out := map[string]nomad.Usage{}
	for _, id := range ids {
		out[id] = nomad.Usage{}
	}
	return out, nil
}

// scaledToNone has a pool whose only member is to leave, which has been written down.
func scaledToNone(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	n.Spec.Revision = blueprint.Revision(&p.Spec.Template, &p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region)
	p.Spec.Replicas = ptr.To[int32](0)
	p.Status.LastScale = &v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now.Add(-time.Hour)), From: 1, To: 0}
}

// A member that is chosen because it is empty leaves only if it still is.
func TestMemberLeavesOnlyIfItIsEmpty(t *testing.T) {
	for _, strategy := range []v1alpha1.ScaleInStrategy{v1alpha1.Empty, v1alpha1.LeastBusy} {
		s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			scaledToNone(p, n)
			p.Spec.ScaleIn.Strategy = strategy
		})
		_, n := s.reconcile(t)
		want := map[v1alpha1.ScaleInStrategy]v1alpha1.ScaleInStrategy{v1alpha1.Empty: v1alpha1.Empty}[strategy]
		if n.Spec.Drain == nil || n.Spec.Drain.OnlyIf != want {
			t.Errorf("%s: %+v", strategy, n.Spec.Drain)
		}
	}
}

// Before a member is chosen replicas and members are read from the API server: the cache may be old.
func TestMembersAreChosenByWhatTheAPIServerHas(t *testing.T) {
	s := newFixture(scaledToNone)
	p, n := &v1alpha1.NomadNodePool{}, &v1alpha1.NomadNode{}
	for name, o := range map[string]client.Object{"p": p, "p-1": n} {
		if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: name}, o); err != nil {
			t.Fatal(err)
		}
	}
	n.Spec.Drain = nodestate.NewDrainRequest("of another", v1alpha1.DrainScaleIn, now, now)
	s.Live = kubetest.Client().WithObjects(p, n).Build()
	if _, n := s.reconcile(t); n.Spec.Drain != nil {
		t.Errorf("chosen though it leaves already: %+v", n.Spec.Drain)
	}
}

// A drain isn't canceled long after the observation, because another leader may have made a member by then.
func TestDrainsAreCanceledAtOnceOrNot(t *testing.T) {
	for late, canceled := range map[time.Duration]bool{actFor: true, actFor + time.Second: false} {
		s := newFixture(func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Hour))
		})
		_, n := s.reconcile(t)
		n.Spec.Drain.Canceled = false
		p := &v1alpha1.NomadNodePool{}
		if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p"}, p); err != nil {
			t.Fatal(err)
		}
		s.Clock = clocktesting.NewFakePassiveClock(now.Add(late))
		of := &scope{pool: p, members: map[string]*v1alpha1.NomadNode{"p-1": n}, snapshot: pool.Snapshot{Now: now}}
		if _, err := s.apply(t.Context(), of, pool.Plan{CancelDrains: []string{"p-1"}}); err != nil || n.Spec.Drain.Canceled != canceled {
			t.Errorf("%s later: canceled %t, %v", late, n.Spec.Drain.Canceled, err)
		}
	}
}

// A controller that has just started doesn't know how Nomad is, and leaves what an earlier one has written.
func TestRestartLeavesThePoolsStatus(t *testing.T) {
	s := newFixture(func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	before, _ := s.reconcile(t)
	s.nomad.view = nomad.View{}
	if after, _ := s.reconcile(t); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("%+v became %+v", before.Status.Conditions, after.Status.Conditions)
	}
}
