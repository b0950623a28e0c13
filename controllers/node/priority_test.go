package node

import (
	"context"
	"errors"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A pool that grows has its VMs first, and one that shrinks is rid of them first, before it is written how the others do.
// But whoever only waits for something must not be before the others again and again.
func TestMembersThatComeOrGoAreReconciledFirst(t *testing.T) {
	staying := func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
	}
	leaving := func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
		return staying(n, s)
	}
	canceled := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := leaving(n, s)
		n.Spec.Drain.Canceled = true
		return objects
	})
	canceled.nomad.refuses = nomad.ErrUnreachable
	made := newFixture(toBeMade)
	made.marksWhatIsMade()
	for name, tc := range map[string]struct {
		fixture *fixture
		want    int
	}{
		"has been made":                       {made, kube.Routine},
		"can't be made":                       {notMade(0, "a Secret that isn't there"), kube.Routine},
		"stays":                               {newFixture(staying), kube.Routine},
		"is drained":                          {newFixture(leaving), kube.Urgent},
		"its drain can't be undone yet":       {canceled, kube.Urgent},
		"was drained, waits for its VM to go": {drained(nomad.Health{State: nomad.HealthReachable}, nothing), kube.Routine},
	} {
		var r ctrl.Result
		for range 3 { // until it waits
			r, _ = tc.fixture.Reconcile(t.Context(), request)
		}
		if r.Priority == nil || *r.Priority != tc.want {
			t.Errorf("%s: %+v, want priority %d", name, r, tc.want)
		}
	}
}

// What can't be read is no more urgent than what failed.
func TestMemberThatCannotBeReadWaitsItsTurn(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*v1alpha1.NomadNode)
		want   int
	}{
		"it stays": {func(*v1alpha1.NomadNode) {}, kube.Routine},
		"it is drained": {func(n *v1alpha1.NomadNode) {
			n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
		}, kube.Urgent},
	} {
		s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
			tc.change(n)
			return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
		})
		s.cacheShows(func(_ client.ObjectKey, o client.Object) (bool, error) {
			_, vm := o.(*kubevirtv1.VirtualMachine)
			return vm, errors.New("not now")
		})
		if r, err := s.Reconcile(t.Context(), request); err == nil || r.Priority == nil || *r.Priority != tc.want {
			t.Errorf("%s: %+v and %v, want priority %d", name, r, err, tc.want)
		}
	}
}

// marksWhatIsMade gives what is made a UID and a time, as the API server does.
func (s *fixture) marksWhatIsMade() {
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			o.SetUID("made")
			o.SetCreationTimestamp(metav1.NewTime(now))
			return c.Create(ctx, o, opts...)
		},
	})
}
