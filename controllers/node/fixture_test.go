package node

import (
	"cmp"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// request has the member reconciled.
var request = ctrl.Request{NamespacedName: client.ObjectKey{Namespace: "ns", Name: "p-1"}}

const testNodeID = "aaaaaaaa-0000-4000-8000-000000000001"

// nomadStub is a Nomad cluster of one node. A method that isn't stubbed panics.
type nomadStub struct {
	nomad.Cluster
	view   nomad.View
	allocs nomad.AllocationsView
	inside nomad.Inspection // what the leader answers
	// others are the nodes that say that they are the member, with what the leader answers of them.
	others []nomad.Inspection
	token  error
	// refuses is why it doesn't say what is inside; nil: it does.
	refuses error
	// hides is why it doesn't list the nodes of a member; nil: it does.
	hides  error
	calls  []string
	tracks bool
	stops  time.Duration // how long the remaining allocations may take to stop
	mute   bool          // it doesn't answer that
}

func (n *nomadStub) Get(nomad.Connection) nomad.Cluster         { return n }
func (n *nomadStub) View() nomad.View                           { return n.view }
func (n *nomadStub) Allocations() nomad.AllocationsView         { return n.allocs }
func (n *nomadStub) TrackAllocations(_ string, on bool)         { n.tracks = on }
func (n *nomadStub) Refresh()                                   { n.called("refresh") }
func (n *nomadStub) called(what string)                         { n.calls = append(n.calls, what) }
func (n *nomadStub) Cordon(context.Context, string) error       { n.called("cordon"); return nil }
func (n *nomadStub) CancelDrain(context.Context, string) error  { n.called("cancel drain"); return nil }
func (n *nomadStub) Uncordon(_ context.Context, _ string) error { n.called("uncordon"); return nil }

func (n *nomadStub) StopTime(context.Context, string) (time.Duration, error) {
	if n.mute {
		return 0, nomad.ErrUnreachable
	}
	return n.stops, nil
}

func (n *nomadStub) Purge(context.Context, string) error { n.called("purge"); return nil }

func (n *nomadStub) Inspect(_ context.Context, id string) (nomad.Inspection, error) {
	n.called("inspect")
	if n.refuses != nil {
		return nomad.Inspection{}, n.refuses
	}
	for _, in := range n.others {
		if in.Node.ID == id {
			return in, nil
		}
	}
	return n.inside, nil
}

func (n *nomadStub) NodesOf(context.Context, string, string) ([]nomad.Node, error) {
	n.called("list")
	var nodes []nomad.Node
	for _, in := range n.others {
		nodes = append(nodes, in.Node)
	}
	return nodes, n.hides
}

func (n *nomadStub) Drain(context.Context, string, nomad.DrainOptions) (bool, error) {
	n.called("drain")
	return true, nil
}

func (n *nomadStub) IntroductionToken(context.Context, string, string, time.Duration) (string, bool, error) {
	n.called("token")
	return "jwt-of-now", true, n.token
}

// fixture is the reconciler with one member.
type fixture struct {
	*Reconciler
	nomad  *nomadStub
	events *events.FakeRecorder
	clock  *clocktesting.FakePassiveClock
}

// newFixture makes a member that works. change alters it, and returns objects to add.
func newFixture(change func(n *v1alpha1.NomadNode, s *fixture) []client.Object) *fixture {
	s := &fixture{nomad: &nomadStub{}, events: events.NewFakeRecorder(100),
		clock: clocktesting.NewFakePassiveClock(now)}
	s.nomad.view = nomad.View{Taken: now, Health: nomad.Health{State: nomad.HealthReachable}}
	n := &v1alpha1.NomadNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", UID: "n",
			CreationTimestamp: metav1.NewTime(now.Add(-time.Hour)), Labels: map[string]string{v1alpha1.PoolLabel: "p"},
			Finalizers: []string{v1alpha1.NodeFinalizer}},
		Spec: v1alpha1.NomadNodeSpec{PoolName: "p", PoolUID: "u", NodeID: testNodeID, Revision: "r",
			Nomad: v1alpha1.NomadSpec{NomadClient: v1alpha1.NomadClient{Servers: []string{"s"}}}},
	}
	n.Spec.Nomad.Address = "http://127.0.0.1:4646"
	n.Spec.Health.JoinTimeout.Duration, n.Spec.ScaleIn.Drain.Deadline.Duration = 10*time.Minute, 15*time.Minute
	objects := append(change(n, s), n)
	c := kubetest.Client().WithStatusSubresource(n).WithObjects(objects...).Build()
	s.Reconciler = New(kube.Deps{
		Client: c, Live: c, Clock: s.clock, Recorder: s.events, NewID: func() string { return "request-2" },
	}, &nomadlink.Connections{Reader: c, Defaults: anyAddress, Clusters: s.nomad, Clock: s.clock}, DefaultPurgeTimeout)
	return s
}

// running gives the member a VM and a Nomad node.
func running(n *v1alpha1.NomadNode, s *fixture, node nomad.Node) []client.Object {
	vm := &kubevirtv1.VirtualMachine{
		ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1", UID: "vm",
			CreationTimestamp: metav1.NewTime(now.Add(-time.Hour))},
	}
	vmi := &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}
	vmi.Status.Phase = kubevirtv1.Running
	n.Status.VM.UID, n.Status.Claims = "vm", []string{"c"}
	n.Status.JoinedTime = &metav1.Time{Time: now.Add(-time.Hour)}
	node.ID, node.Name = testNodeID, cmp.Or(node.Name, "p-1")
	s.nomad.view.Nodes = map[string]nomad.Node{testNodeID: node}
	s.nomad.inside = nomad.Inspection{Found: true, Node: node}
	return []client.Object{vm, vmi}
}

// cacheShows has the cache answer otherwise than by what there is; false: it doesn't.
func (s *fixture) cacheShows(otherwise func(client.ObjectKey, client.Object) (bool, error)) {
	s.Client = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object,
			opts ...client.GetOption) error {
			if answered, err := otherwise(key, o); answered {
				return err
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
}

func (s *fixture) reconcile(t *testing.T) ctrl.Result {
	t.Helper()
	res, err := s.Reconcile(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func (s *fixture) node(t *testing.T) *v1alpha1.NomadNode {
	t.Helper()
	n := &v1alpha1.NomadNode{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, n); err != nil {
		t.Fatal(err)
	}
	return n
}

func (s *fixture) event() string {
	select {
	case e := <-s.events.Events:
		return e
	default:
		return ""
	}
}

var alloc = nomad.Allocation{
	ID:           "1a2b3c4d-0000",
	JobType:      "service",
	Namespace:    "default",
	Name:         "web.app[0]",
	ClientStatus: "running",
	CreateTime:   now.Add(-time.Hour),
}

func TestAllocationNameIdentifiesIt(t *testing.T) {
	elsewhere, pending, moving := alloc, alloc, alloc
	moving.ClientStatus, moving.MovingTo = "complete", "9f8e7d6c-0000"
	elsewhere.Namespace, pending.ClientStatus = "shop", "pending"
	for want, a := range map[string]nomad.Allocation{
		"web.app[0] (1a2b3c4d), running, placed 2026-11-23T11:00:00Z":      alloc,
		"shop/web.app[0] (1a2b3c4d), running, placed 2026-11-23T11:00:00Z": elsewhere,
		"web.app[0] (1a2b3c4d), pending, placed 2026-11-23T11:00:00Z":      pending,

		"web.app[0] (1a2b3c4d), complete, its data is being moved to allocation 9f8e7d6c": moving,
	} {
		if got := allocationName(a); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestDrainIsCanceledIfTheMemberIsBusy(t *testing.T) {
	ineligible := nomad.Node{Name: "p-1", Status: nomad.NodeReady}
	for name, c := range map[string]struct {
		inside   nomad.Inspection
		calls    string
		canceled bool
	}{
		"busy": {nomad.Inspection{Found: true, Node: ineligible, Live: []nomad.Allocation{alloc}},
			"inspect", true},
		"empty": {nomad.Inspection{Found: true, Node: ineligible}, "inspect drain", false},
		"eligible, whatever is observed": {nomad.Inspection{Found: true,
			Node: nomad.Node{Name: "p-1", Status: nomad.NodeReady, Eligible: true}}, "inspect cordon", false},
		"gone down since": {nomad.Inspection{Found: true,
			Node: nomad.Node{Name: "p-1", Status: nomad.NodeDown}, Live: []nomad.Allocation{alloc}}, "inspect drain", false},
		"gone": {nomad.Inspection{}, "inspect drain", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
				n.Spec.Drain.OnlyIf = v1alpha1.Empty
				return running(n, s, ineligible)
			})
			s.nomad.inside = c.inside
			s.reconcile(t)
			if calls := strings.Join(s.nomad.calls, " "); calls != c.calls {
				t.Errorf("Nomad was asked to %q, want %q", calls, c.calls)
			}
			if got := s.node(t).Spec.Drain.Canceled; got != c.canceled {
				t.Errorf("canceled is %t", got)
			}
			if e := s.event(); strings.Contains(e, "DrainCanceled") != c.canceled ||
				c.canceled && !strings.Contains(e, "web.app[0] (1a2b3c4d)") {
				t.Errorf("event %q", e)
			}
		})
	}
}

func TestLeaderThatDisagreesIsNotAskedEachMoment(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
		last := &nomad.Drain{Status: nomad.DrainComplete, DrainID: "request-1"}
		objects := running(n, s, nomad.Node{Status: nomad.NodeReady, LastDrain: last})
		s.nomad.inside.Live = []nomad.Allocation{alloc}
		s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: nil}}
		return objects
	})
	if res := s.reconcile(t); res.RequeueAfter != viewRetry {
		t.Errorf("reconciles again after %s", res.RequeueAfter)
	}
	if c := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted); c.Status == metav1.ConditionTrue ||
		!strings.Contains(c.Message, "web.app[0] (1a2b3c4d)") {
		t.Errorf("whatever the leader answers: %+v", c)
	}
}

func TestUnknownAllocationsAreReported(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(time.Minute))
		s.nomad.allocs.Err = context.DeadlineExceeded
		return running(n, s,
			nomad.Node{Status: nomad.NodeReady, Draining: true, LastDrain: &nomad.Drain{DrainID: "request-1"}})
	})
	s.reconcile(t)
	if c := nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted); !strings.Contains(c.Message,
		"Held until Nomad lists allocations again") {
		t.Errorf("got %+v", c)
	}
}

// notMade is a member without a VM, whose Secret is about to be made, or was made a while ago.
func notMade(age time.Duration, mode v1alpha1.IntroductionTokenMode) *fixture {
	return newFixture(func(n *v1alpha1.NomadNode, _ *fixture) []client.Object {
		n.Status.Claims, n.Spec.Nomad.IntroductionToken = []string{"c"}, mode
		if age == 0 {
			return nil
		}
		return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: blueprint.SecretName(blueprint.MemberOf(n)),
			Labels:            map[string]string{v1alpha1.NodeLabel: "p-1"},
			CreationTimestamp: metav1.NewTime(now.Add(-age)),
		}}}
	})
}

func (s *fixture) userData(t *testing.T) string {
	t.Helper()
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: "ns", Name: blueprint.SecretName(blueprint.MemberOf(s.node(t)))}
	if err := s.Client.Get(t.Context(), key, secret); client.IgnoreNotFound(err) != nil {
		t.Fatal(err)
	}
	return string(secret.Data["userdata"])
}

func TestMissingIntroductionTokenIsReported(t *testing.T) {
	s := notMade(0, v1alpha1.IntroductionAlways)
	s.nomad.token = errors.New("Permission denied")
	if res := s.reconcile(t); res.RequeueAfter < time.Second {
		t.Errorf("tries again after %s", res.RequeueAfter)
	}
	if c := nodestate.Condition(s.node(t), v1alpha1.NodeVMReady); c.Reason != v1alpha1.ReasonIntroductionToken ||
		!strings.Contains(c.Message, "introduction token") {
		t.Errorf("got %+v", c)
	}
	s.nomad.token = nil
	s.reconcile(t)
	if !strings.Contains(s.userData(t), "jwt-of-now") {
		t.Error("the Secret has no token")
	}
}

func TestSecretWaitsForNomadToBeAskedOnce(t *testing.T) {
	s := notMade(0, "")
	s.nomad.view = nomad.View{}
	if res := s.reconcile(t); res.RequeueAfter != time.Second || s.userData(t) != "" {
		t.Errorf("reconciles again after %s, the Secret is %q", res.RequeueAfter, s.userData(t))
	}
	s.nomad.view.Health = nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
	s.reconcile(t)
	if data := s.userData(t); data == "" || strings.Contains(data, "jwt-of-now") {
		t.Errorf("with Nomad away the Secret is %q", data)
	}
}

func TestOldIntroductionTokenIsRenewedBeforeTheVM(t *testing.T) {
	for name, c := range map[string]struct {
		age     time.Duration
		mode    v1alpha1.IntroductionTokenMode
		renewed bool
	}{
		"fresh":            {20*time.Minute - time.Second, "", false},
		"old":              {20 * time.Minute, "", true},
		"old, but no JWTs": {time.Hour, v1alpha1.IntroductionNever, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := notMade(c.age, c.mode)
			s.reconcile(t)
			if got := strings.Contains(s.userData(t), "jwt-of-now"); got != c.renewed {
				t.Errorf("renewed: %t", got)
			}
			vm := &kubevirtv1.VirtualMachine{}
			if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, vm); err != nil {
				t.Errorf("the VM: %v", err)
			}
		})
	}
}

func TestRestartWritesNothing(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		return running(n, s, nomad.Node{Status: nomad.NodeDown})
	})
	s.reconcile(t)
	before := s.node(t)
	if since := before.Status.UnhealthyTime; since == nil || !since.Equal(&metav1.Time{Time: now}) {
		t.Fatalf("unhealthy since %v", since)
	}
	s.nomad.view = nomad.View{}
	s.clock.SetTime(now.Add(time.Minute))
	s.reconcile(t)
	if after := s.node(t); after.ResourceVersion != before.ResourceVersion {
		t.Errorf("%+v\nbecame %+v", before.Status, after.Status)
	}
}

func TestEvacuationIsAskedForOnlyOfExternal(t *testing.T) {
	external, migrate := kubevirtv1.EvictionStrategyExternal, kubevirtv1.EvictionStrategyLiveMigrate
	for name, c := range map[string]struct {
		strategy *kubevirtv1.EvictionStrategy
		host     string
		leaves   bool
	}{
		"external":               {&external, "host-1", true},
		"external, not asked":    {&external, "", false},
		"KubeVirt migrates":      {&migrate, "host-1", false},
		"the cluster's strategy": {nil, "host-1", false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				objects := running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
				vmi := objects[1].(*kubevirtv1.VirtualMachineInstance)
				vmi.Spec.EvictionStrategy, vmi.Status.EvacuationNodeName = c.strategy, c.host
				return objects
			})
			s.reconcile(t)
			in := s.node(t).Spec.Drain
			if (in != nil && in.Reason == v1alpha1.DrainEvacuation) != c.leaves {
				t.Errorf("got %+v", in)
			}
			if e := s.event(); strings.Contains(e, "Evacuating") != c.leaves || c.leaves && !strings.Contains(e, "host-1") {
				t.Errorf("event %q", e)
			}
		})
	}
}
