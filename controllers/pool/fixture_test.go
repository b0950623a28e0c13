package pool

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const fixtureNodeID = "aaaaaaaa-0000-4000-8000-000000000001"

// nomadStub is a Nomad cluster that shows a given view. What isn't stubbed isn't asked.
type nomadStub struct {
	nomad.Cluster
	view      nomad.View
	refreshes int
	mute      error // why it doesn't tell how busy nodes are; nil: it does
}

func (n *nomadStub) Get(nomad.Connection) nomad.Cluster { return n }
func (n *nomadStub) View() nomad.View                   { return n.view }
func (n *nomadStub) Refresh()                           { n.refreshes++ }
func (n *nomadStub) Allocations() nomad.AllocationsView { return nomad.AllocationsView{} }

// fixture is the reconciler of one pool with one member, which works.
type fixture struct {
	*Reconciler
	nomad  *nomadStub
	events *events.FakeRecorder
}

// newFixture makes it; change alters pool and member.
func newFixture(change func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode)) *fixture {
	s := &fixture{nomad: &nomadStub{}, events: events.NewFakeRecorder(100)}
	s.nomad.view = nomad.View{
		Taken: now, RecoveredSince: now.Add(-time.Hour), Health: nomad.Health{State: nomad.HealthReachable},
		Nodes: map[string]nomad.Node{fixtureNodeID: {ID: fixtureNodeID, Status: nomad.NodeReady, Eligible: true}}}
	p := &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u",
			CreationTimestamp: metav1.NewTime(now.Add(-2 * time.Hour))},
	}
	p.Spec.Replicas = ptr.To[int32](1)
	p.Status.LastScale = &v1alpha1.ScaleChange{ScaleTime: metav1.NewTime(now.Add(-2 * time.Hour)), From: -1, To: 1}
	p.Spec.Nomad.Address, p.Spec.Nomad.Servers = "http://127.0.0.1:4646", []string{"s"}
	p.Status.Nomad = ledTo(p.Spec.Nomad.NomadConnection, p)
	n := &v1alpha1.NomadNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", UID: "n",
			CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)),
			Labels:            map[string]string{v1alpha1.PoolLabel: "p", v1alpha1.RevisionLabel: "r"}},
		Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: "u", NodeID: fixtureNodeID, Revision: "r"},
	}
	n.Status.VM.UID, n.Status.JoinedTime = "vm", &metav1.Time{Time: now.Add(-time.Hour)}
	change(p, n)
	c := kubetest.Client().WithStatusSubresource(p, n).WithObjects(p, n).Build()
	clock := clocktesting.NewFakePassiveClock(now)
	s.Reconciler = New(kube.Deps{
		Client: c, Live: c, Clock: clock, Recorder: s.events, NewID: func() string { return "new-id" },
	}, &nomadlink.Connections{Reader: c, Defaults: anyAddress, Clusters: s.nomad, Clock: clock})
	return s
}

// reconcile runs once, and returns the pool and its member as they are then.
func (s *fixture) reconcile(t *testing.T) (*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {
	t.Helper()
	if _, err := s.Reconcile(t.Context(),
		ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "p"}}); err != nil {
		t.Fatal(err)
	}
	p, n := &v1alpha1.NomadNodePool{}, &v1alpha1.NomadNode{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p"}, p); err != nil {
		t.Fatal(err)
	}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, n); err != nil {
		t.Fatal(err)
	}
	return p, n
}

// A pool knows its members whatever becomes of their labels, and puts the labels back.
func TestMembersWithoutLabelsAreMembers(t *testing.T) {
	s := newFixture(
		func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) { n.Labels = map[string]string{"mine": "too"} })
	p, n := s.reconcile(t)
	if p.Status.Replicas != 1 || p.Status.ReadyReplicas != 1 {
		t.Errorf("the pool counts %d members, of which %d are ready", p.Status.Replicas, p.Status.ReadyReplicas)
	}
	if n.Labels[v1alpha1.PoolLabel] != "p" || n.Labels[v1alpha1.RevisionLabel] != "r" || n.Labels["mine"] != "too" {
		t.Errorf("labels %v", n.Labels)
	}
}

// A member that is being removed follows its pool's connection: it would otherwise wait for a wrong address that was
// corrected. Its drain policy stays, because it may have been changed to end the drain.
func TestMembersThatAreRemovedFollowTheConnection(t *testing.T) {
	s := newFixture(func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
		n.Spec.Nomad.Address, n.Spec.ScaleIn.Drain.OnTimeout = "http://wrong:4646", v1alpha1.DrainForce
	})
	if _, n := s.reconcile(t); n.Spec.Nomad.Address != "http://127.0.0.1:4646" ||
		n.Spec.ScaleIn.Drain.OnTimeout != v1alpha1.DrainForce {
		t.Errorf("its Nomad is at %s, and onTimeout %q", n.Spec.Nomad.Address, n.Spec.ScaleIn.Drain.OnTimeout)
	}
}

// Programs read in the status if a pool can grow, in whichever state it is.
func TestGrowthIsWrittenForPrograms(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.Template.Networks = []v1alpha1.Network{{Name: "default/nowhere"}}
	})
	p, _ := s.reconcile(t)
	if want := (v1alpha1.ScalingStatus{Growth: v1alpha1.GrowthBlocked,
		BlockedBy: v1alpha1.BlockedByTemplate}); p.Status.Scaling == nil ||
		*p.Status.Scaling != want {
		t.Fatalf("of a template that can't work it says %+v", p.Status.Scaling)
	}
	p.Spec.Template.Networks = nil
	if err := s.Client.Update(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	p, _ = s.reconcile(t)
	if want := (v1alpha1.ScalingStatus{Growth: v1alpha1.GrowthPossible}); p.Status.Scaling == nil ||
		*p.Status.Scaling != want {
		t.Errorf("of one that works it says %+v", p.Status.Scaling)
	}
}

// Members of other pools are none, whatever their labels say.
func TestMembersOfOthersAreNone(t *testing.T) {
	s := newFixture(func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) { n.Spec.PoolUID = "other" })
	if p, _ := s.reconcile(t); p.Status.Replicas != 0 {
		t.Errorf("the pool counts %d members", p.Status.Replicas)
	}
}

// A change of replicas is written down before it is acted upon: if that were lost, the stabilization window would
// count from an earlier one.
func TestChangeOfReplicasIsWrittenDownFirst(t *testing.T) {
	conflict := false
	s := newFixture(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.Replicas, p.Spec.ScaleIn.Strategy = ptr.To[int32](0), v1alpha1.NewestCreateIndex
	})
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch,
			opts ...client.SubResourcePatchOption) error {
			if conflict {
				return apierrors.NewConflict(schema.GroupResource{Resource: "nomadnodepools"}, o.GetName(),
					errors.New("somebody else has written"))
			}
			return c.SubResource(sub).Patch(ctx, o, p, opts...)
		},
	})
	conflict = true
	for range 3 {
		if p, n := s.reconcile(t); n.Spec.Drain != nil || p.Status.LastScale.To != 1 {
			t.Fatalf("acted upon a change that isn't written down: %+v", n.Spec.Drain)
		}
	}
	conflict = false
	if p, n := s.reconcile(t); n.Spec.Drain != nil || p.Status.LastScale.To != 0 || p.Status.LastScale.From != 1 {
		t.Fatalf("the first reconcile requested %+v and wrote %+v", n.Spec.Drain, p.Status.LastScale)
	}
	if _, n := s.reconcile(t); n.Spec.Drain == nil {
		t.Error("nobody leaves at the next reconcile")
	}
}

// A member that is replaced for its age isn't said to be of an older template.
func TestWhyAMemberIsOutdatedIsReported(t *testing.T) {
	for want, c := range map[string]struct {
		revision  string
		restarted time.Duration
	}{
		"MemberOutdated Member p-1 leaves: it was made from an older template": {"older",
			time.Hour * 2},
		"MemberOutdated Member p-1 leaves: it was made before rollout.restartedAt or is older than rollout.maxAge": {"",
			time.Minute},
	} {
		s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			p.Spec.Rollout.MaxSurge, p.Spec.Rollout.MaxUnavailable = new(intstr.FromInt32(0)), new(intstr.FromInt32(1))
			p.Spec.Rollout.RestartedAt = &metav1.Time{Time: now.Add(-c.restarted)}
			p.Spec.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
			if n.Spec.Revision = c.revision; c.revision == "" {
				n.Spec.Revision = blueprint.Revision(&p.Spec.Template, &p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region)
			}
			// What the template names was found before.
			p.Status.Revision = blueprint.Revision(&p.Spec.Template, &p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region)
			p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.PoolTemplateValid, Status: metav1.ConditionTrue}}
		})
		s.reconcile(t)
		var e string
		for len(s.events.Events) > 0 && !strings.Contains(e, "MemberOutdated") {
			e = <-s.events.Events
		}
		if !strings.Contains(e, want) {
			t.Errorf("emitted %q, want %q", e, want)
		}
	}
}

// A member whose VM couldn't be made is replaced when its template is corrected, unless its VM was made a moment ago
// after all.
func TestMemberWhoseVMWasJustMadeIsNotReplaced(t *testing.T) {
	for name, c := range map[string]struct {
		vm       *kubevirtv1.VirtualMachine
		replaced bool
	}{
		"no VM":           {nil, true},
		"an external one": {&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}, true},
		"it has been made": {&kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "p-1", Labels: map[string]string{v1alpha1.PoolLabel: "p"},
			Annotations: map[string]string{v1alpha1.PoolUIDAnnotation: "u", v1alpha1.MemberAnnotation: "p-1",
				v1alpha1.NodeIDAnnotation: fixtureNodeID},
		}}, false},
	} {
		t.Run(name, func(t *testing.T) {
			var member *v1alpha1.NomadNode
			s := newFixture(func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) { member = n })
			if c.vm != nil {
				if err := s.Client.Create(t.Context(), c.vm); err != nil {
					t.Fatal(err)
				}
			}
			member.Status.VM.UID = ""
			if err := s.replace(t.Context(), &scope{pool: &v1alpha1.NomadNodePool{}}, member); err != nil {
				t.Errorf("got %v", err)
			}
			err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(member), &v1alpha1.NomadNode{})
			if apierrors.IsNotFound(err) != c.replaced {
				t.Errorf("its NomadNode: %v", err)
			}
		})
	}
}

// ledTo is the status of a pool whose servers led to the Nomad of a connection.
func ledTo(c v1alpha1.NomadConnection, p *v1alpha1.NomadNodePool) *v1alpha1.PoolNomadStatus {
	return &v1alpha1.PoolNomadStatus{FormerNomad: v1alpha1.FormerNomad{NomadConnection: c}, Servers: p.Spec.Nomad.Servers}
}

func formerAt(address string) *v1alpha1.FormerNomad {
	return &v1alpha1.FormerNomad{NomadConnection: v1alpha1.NomadConnection{Address: address}}
}
