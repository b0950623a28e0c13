package node

import (
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// canceledDrain is a member whose drain request was canceled during its drain, or after it.
func canceledDrain(cordonedFor string, draining bool) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-time.Minute), now)
		n.Spec.Drain.Cancel(now.Add(-time.Minute))
		n.Status.CordonedDrain = cordonedFor
		n.Annotations = map[string]string{v1alpha1.DeleteNextAnnotation: "", v1alpha1.ProtectAnnotation: ""}
		return running(n, s,
			nomad.Node{Status: nomad.NodeReady, Draining: draining, LastDrain: &nomad.Drain{DrainID: "request-1"}})
	})
}

func TestCancelUndoesWhatWasDone(t *testing.T) {
	for name, c := range map[string]struct {
		cordonedFor    string
		calls, message string
	}{
		"we made it ineligible":  {"request-1", "uncordon", "is eligible again"},
		"an operator did before": {"", "cancel drain", "stays ineligible"},
	} {
		t.Run(name, func(t *testing.T) {
			s := canceledDrain(c.cordonedFor, true)
			s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != "inspect "+c.calls {
				t.Errorf("Nomad was asked to %q", calls)
			}
			if e := s.event(); !strings.Contains(e, "DrainCanceled") || !strings.Contains(e, c.message) {
				t.Errorf("event %q", e)
			}
			if e := s.event(); !strings.Contains(e, "this VM stays") {
				t.Errorf("event of the VM %q", e)
			}
			// The view lags behind.
			s.nomad.inside.Node.Draining, s.nomad.inside.Node.Eligible = false, c.cordonedFor != ""
			if res := s.reconcile(t); res.RequeueAfter != viewRetry {
				t.Errorf("reconciles again after %s", res.RequeueAfter)
			}
			if calls := strings.Join(s.nomad.calls, " "); calls != "inspect "+c.calls+" inspect" {
				t.Errorf("Nomad was asked to %q", calls)
			}
			if e := s.event(); e != "" {
				t.Errorf("event %q", e)
			}
			s.nomad.view.Nodes[s.node(t).Spec.NodeID] = s.nomad.inside.Node
			s.reconcile(t)
			n := s.node(t)
			if _, marked := n.Annotations[v1alpha1.DeleteNextAnnotation]; marked || n.Spec.Drain != nil {
				t.Errorf("the drain request is %+v, and it has delete-next: %t", n.Spec.Drain, marked)
			}
			if _, protected := n.Annotations[v1alpha1.ProtectAnnotation]; !protected {
				t.Error("it isn't protected any more")
			}
		})
	}
}

// A request that was canceled with kubectl has no time of that, and a call that was sent for it may be on its way.
func TestRequestThatIsCanceledByHandIsNotClearedAtOnce(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now.Add(-time.Minute), now)
		n.Spec.Drain.Canceled = true
		return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
	})
	s.reconcile(t)
	s.reconcile(t)
	if in := s.node(t).Spec.Drain; in == nil || !in.CanceledTime.Time.Equal(now) {
		t.Fatalf("the drain request is %+v", in)
	}
	s.clock.SetTime(now.Add(12 * time.Second))
	s.nomad.view.Taken = s.clock.Now()
	s.reconcile(t)
	if in := s.node(t).Spec.Drain; in != nil {
		t.Errorf("the drain request is %+v", in)
	}
}

// A node is purged once, although the view shows it for a moment after it has gone, and what is left of the member is
// removed in the same reconcile.
func TestNodeIsPurgedOnce(t *testing.T) {
	for name, c := range map[string]struct {
		gone  bool
		calls string
	}{
		"it is there": {false, "inspect purge"},
		"it has gone": {true, "inspect"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				running(n, s, nomad.Node{Status: nomad.NodeDown})
				ago := metav1.NewTime(now)
				n.DeletionTimestamp = &ago
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now)
				n.Status.DrainResult = v1alpha1.DrainEmpty
				n.Status.Conditions = []metav1.Condition{
					{Type: v1alpha1.NodeDrainCompleted, Status: "True", Reason: v1alpha1.ReasonEmpty, LastTransitionTime: ago}}
				return nil
			})
			if c.gone {
				s.nomad.inside = nomad.Inspection{}
			}
			res := s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls {
				t.Errorf("Nomad was asked to %q", calls)
			}
			err := s.Client.Get(t.Context(), request.NamespacedName, &v1alpha1.NomadNode{})
			if c.gone && (err != nil || res.RequeueAfter != viewRetry) || !c.gone && !apierrors.IsNotFound(err) {
				t.Errorf("the NomadNode: %v, reconciles again after %s", err, res.RequeueAfter)
			}
		})
	}
}

// A stale cache still has the drain request that another leader has canceled, undone in Nomad and cleared.
func TestCanceledRequestIsNotSentToNomad(t *testing.T) {
	for name, c := range map[string]struct {
		there, eligible bool
		step            string
	}{
		"canceled, to be cordoned":          {true, true, "cordon"},
		"canceled, to be drained":           {true, false, "drain"},
		"the member is gone, to be drained": {false, false, "drain"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now)
				n.Status.CordonedDrain = "request-1"
				return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: c.eligible})
			})
			live := kubetest.Client()
			if c.there {
				n := s.node(t)
				n.Spec.Drain, n.ResourceVersion = nil, "1234"
				live.WithObjects(n)
			}
			s.Live = live.Build()
			if res := s.reconcile(t); res.RequeueAfter != kube.Again || slices.Contains(s.nomad.calls, c.step) {
				t.Errorf("Nomad was asked to %q, and the next reconcile is after %s", s.nomad.calls, res.RequeueAfter)
			}
			s.Live = s.Client
			if s.reconcile(t); !slices.Contains(s.nomad.calls, c.step) {
				t.Errorf("a request that stands: Nomad was asked to %q", s.nomad.calls)
			}
		})
	}
}

// A VM runs on if somebody removed the finalizer of its NomadNode, however long a cache still has that.
func TestVMWhoseNomadNodeIsGoneIsNotDeleted(t *testing.T) {
	for name, listed := range map[string]map[string]string{
		"its claims are to be listed": nil, "it names its claims": {nodestate.RemovedClaimsAnnotation: "c"},
	} {
		t.Run(name, func(t *testing.T) { vmWithoutNomadNode(t, listed) })
	}
}

func vmWithoutNomadNode(t *testing.T, annotations map[string]string) {
	t.Helper()
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady})
		objects[0].SetAnnotations(annotations)
		ago := metav1.NewTime(now)
		n.DeletionTimestamp, n.Finalizers = &ago, []string{v1alpha1.NodeFinalizer}
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainDeleted, now, now)
		n.Status.DrainResult = v1alpha1.DrainEmpty
		n.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.NodeDrainCompleted, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonEmpty,
				LastTransitionTime: ago},
		}
		return objects
	})
	deleted := func() bool {
		err := s.Client.Get(t.Context(), request.NamespacedName, &kubevirtv1.VirtualMachine{})
		if client.IgnoreNotFound(err) != nil {
			t.Fatal(err)
		}
		return err != nil
	}
	s.Live = fake.NewClientBuilder().WithScheme(kube.Scheme()).Build()
	for range 4 {
		s.reconcile(t)
	}
	if deleted() {
		t.Error("the VM is deleted, though there is no NomadNode")
	}
	s.Live = s.Client
	for range 4 {
		s.reconcile(t)
	}
	if !deleted() {
		t.Error("the VM is there, though its NomadNode asks for its removal")
	}
}
