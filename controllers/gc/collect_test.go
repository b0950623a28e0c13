package gc

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// nomadStub is a Nomad with several nodes.
type nomadStub struct {
	nomad.Cluster
	view   nomad.View
	inside map[string]nomad.Node
	silent bool   // it doesn't answer
	broken string // the node for which it can't answer
	asked  int
	about  map[string]int // how often for each node
	purged []string
	// answered is called after each answer; nil: nothing is.
	answered func()
}

func (n *nomadStub) Get(nomad.Connection) nomad.Cluster { return n }
func (n *nomadStub) View() nomad.View                   { return n.view }

func (n *nomadStub) Inspect(_ context.Context, id string) (nomad.Inspection, error) {
	if n.about == nil {
		n.about = map[string]int{}
	}
	n.about[id]++
	if n.asked++; n.silent || id == n.broken {
		return nomad.Inspection{}, context.DeadlineExceeded
	}
	node, ok := n.inside[id]
	if n.answered != nil {
		n.answered()
	}
	return nomad.Inspection{Found: ok, Node: node}, nil
}

func (n *nomadStub) Purge(_ context.Context, id string) error {
	n.purged = append(n.purged, id)
	return nil
}

type fixture struct {
	*Collector
	nomad  *nomadStub
	clock  *clocktesting.FakeClock
	events *events.FakeRecorder
}

const (
	lostID    = "aaaaaaaa-0000-4000-8000-000000000001"
	lostClaim = "p-1-root-aaaaaaaa"
	lostName  = "p-1-aaaaaaaa-cloudinit"
)

// newFixture has the orphaned resources of member p-1 of pool p, and more objects.
func newFixture(more ...client.Object) *fixture {
	marks := func(name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Namespace: "ns", Name: name, Labels: map[string]string{v1alpha1.PoolLabel: "p", v1alpha1.NodeLabel: "p-1"},
			Annotations: map[string]string{v1alpha1.PoolUIDAnnotation: "u"},
		}
	}
	pool := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: "u"}}
	pool.Spec.Nomad.Address = "http://127.0.0.1:4646"
	objects := append([]client.Object{
		pool, &corev1.PersistentVolumeClaim{ObjectMeta: marks(lostClaim)}, &corev1.Secret{ObjectMeta: marks(lostName)},
	}, more...)
	c := fake.NewClientBuilder().WithScheme(kube.Scheme()).WithObjects(objects...).Build()
	down := nomad.Node{ID: lostID, Name: "p-1", Member: "p-1", PoolUID: "u", Status: nomad.NodeDown}
	s := &fixture{nomad: &nomadStub{inside: map[string]nomad.Node{lostID: down}},
		clock: clocktesting.NewFakeClock(now), events: events.NewFakeRecorder(100)}
	s.nomad.view = nomad.View{
		Taken: now, Health: nomad.Health{State: nomad.HealthReachable}, RecoveredSince: now.Add(-time.Hour),
		Nodes: map[string]nomad.Node{lostID: {ID: lostID, Name: "p-1", Status: nomad.NodeDown}}}
	s.Collector = New(kube.Deps{Client: c, Live: c, Clock: s.clock, Recorder: s.events},
		&nomadlink.Connections{Reader: c, Defaults: anyAddress, Clusters: s.nomad, Clock: s.clock}, 5*time.Minute, 15*time.Minute)
	return s
}

// collectFor runs every five minutes, and returns what is left in the end.
func (s *fixture) collectFor(t *testing.T, d time.Duration) []string {
	t.Helper()
	for passed := time.Duration(0); passed <= d; passed += s.Interval {
		s.nomad.view.Taken = s.clock.Now()
		if err := s.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.clock.Step(s.Interval)
	}
	return s.left(t)
}

// left is what isn't removed of the lost member's.
func (s *fixture) left(t *testing.T) []string {
	t.Helper()
	var left []string
	for name, o := range map[string]client.Object{lostClaim: &corev1.PersistentVolumeClaim{}, lostName: &corev1.Secret{}} {
		if s.Live.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: name}, o) == nil {
			left = append(left, name)
		}
	}
	if !slices.Contains(s.nomad.purged, lostID) {
		left = append(left, lostID)
	}
	slices.Sort(left)
	return left
}

// removedSecrets is the value of the metric.
func removedSecrets(t *testing.T) float64 {
	t.Helper()
	families, err := metrics.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == "nomad_harvester_orphans_removed_total" && m.GetLabel()[0].GetValue() == "secret" {
				return m.GetCounter().GetValue()
			}
		}
	}
	t.Fatal("there is no such metric")
	return 0
}

// A Nomad that doesn't answer, or a pool whose credentials can't be read, doesn't block the orphans of other pools.
func TestOnePoolsNomadBlocksNoOther(t *testing.T) {
	pool := func(name string) *v1alpha1.NomadNodePool {
		p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)}}
		p.Spec.Nomad.Address = "http://127.0.0.1:4647"
		return p
	}
	unreadable := pool("unreadable")
	unreadable.Spec.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: "no-right-to-read"}
	s := newFixture(pool("away"), unreadable)
	nodes := map[string]nomad.Node{"bbbbbbbb-0000-4000-8000-000000000001": {Status: nomad.NodeDown},
		"bbbbbbbb-0000-4000-8000-000000000002": {Status: nomad.NodeDown}}
	away := &nomadStub{silent: true, view: s.nomad.view}
	away.view.Nodes = nodes
	s.Connections.Clusters = byAddress{"http://127.0.0.1:4646": s.nomad, "http://127.0.0.1:4647": away}
	s.Connections.Reader = interceptor.NewClient(s.Client.(client.WithWatch), interceptor.Funcs{
		Get: func(
			ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption,
		) error {
			if key.Name == "no-right-to-read" {
				return errors.New("no right to read it")
			}
			return c.Get(ctx, key, o, opts...)
		},
	})
	for runs := 1; runs <= 4; runs++ {
		s.nomad.view.Taken, away.view.Taken = s.clock.Now(), s.clock.Now()
		if err := s.Collect(t.Context()); !errors.Is(err, context.DeadlineExceeded) ||
			!strings.Contains(err.Error(), "ns/unreadable") {
			t.Errorf("got %v", err)
		}
		if away.asked != runs {
			t.Errorf("the Nomad that doesn't answer was asked %d times in %d runs", away.asked, runs)
		}
		s.clock.Step(s.Interval)
	}
	if !slices.Contains(s.nomad.purged, lostID) {
		t.Error("the lost member's node was not purged")
	}
}

// However many nodes are down, a run asks for a bounded number of them, and each gets its turn. The grace period of a
// node goes on meanwhile.
func TestRunAsksForFewNodesAtOnce(t *testing.T) {
	s := newFixture()
	s.nomad.view.Nodes = map[string]nomad.Node{lostID: {Status: nomad.NodeDown}}
	for i := range 3*asksPerRun - 1 { // of another Harvester
		s.nomad.view.Nodes[fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012d", i)] = nomad.Node{Status: nomad.NodeDown}
	}
	for runs := range 4 {
		before := s.nomad.asked
		s.nomad.view.Taken = s.clock.Now()
		if err := s.Collect(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := s.nomad.asked - before - len(s.nomad.purged); n != asksPerRun {
			t.Errorf("run %d asked for %d nodes", runs+1, n)
		}
		if want := runs == 3; slices.Contains(s.nomad.purged, lostID) != want {
			t.Errorf("after run %d it is %t that the lost member's node was purged", runs+1, !want)
		}
		s.clock.Step(s.Interval)
	}
	for id := range s.nomad.view.Nodes {
		if s.nomad.about[id] == 0 {
			t.Errorf("nobody asked for %s", id)
		}
	}
}

// A node for which Nomad can't answer doesn't block other nodes, wherever it is in the order of questions.
func TestNodeThatCantBeReadBlocksNoOther(t *testing.T) {
	for _, broken := range []string{"00000000-0000-4000-8000-000000000000", "ffffffff-0000-4000-8000-000000000000"} {
		s := newFixture()
		s.nomad.broken = broken
		s.nomad.view.Nodes = map[string]nomad.Node{lostID: {Status: nomad.NodeDown}, broken: {Status: nomad.NodeDown}}
		for range 6 {
			s.nomad.view.Taken = s.clock.Now()
			if err := s.Collect(t.Context()); err != nil && !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			s.clock.Step(s.Interval)
		}
		if !slices.Contains(s.nomad.purged, lostID) {
			t.Errorf("beside %s the lost member's node is there after half an hour", broken)
		}
	}
}

// An earlier answer doesn't count for a node that has become a member's since, or has come back.
func TestAnswersOfNodesThatAreNotDownAreForgotten(t *testing.T) {
	s := newFixture()
	if err := s.Collect(t.Context()); err != nil || len(s.answers) != 1 {
		t.Fatalf("%d answers, %v", len(s.answers), err)
	}
	s.nomad.view.Nodes = map[string]nomad.Node{lostID: {Status: nomad.NodeReady}}
	if err := s.Collect(t.Context()); err != nil || len(s.answers) != 0 {
		t.Errorf("%d answers, %v", len(s.answers), err)
	}
}

type byAddress map[string]*nomadStub

func (b byAddress) Get(c nomad.Connection) nomad.Cluster { return b[c.Address] }

func TestOrphansOfALostMemberAreRemoved(t *testing.T) {
	s := newFixture()
	before := removedSecrets(t)
	if left := s.collectFor(t, 10*time.Minute); len(left) != 3 {
		t.Errorf("before the grace has passed only %v is left", left)
	}
	if left := s.collectFor(t, 5*time.Minute); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	if got := removedSecrets(t) - before; got != 1 {
		t.Errorf("%v Secrets were counted", got)
	}
	sent := ""
	for range 3 {
		sent += <-s.events.Events + "\n"
	}
	for _, words := range []string{lostName, lostClaim, lostID} {
		if !strings.Contains(sent, words) {
			t.Errorf("no event names %s: %s", words, sent)
		}
	}
}

func TestWhatIsInUseIsNotRemoved(t *testing.T) {
	nomadNode := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"},
		Spec: v1alpha1.NomadNodeSpec{NodeID: lostID}}
	other := func(change func(*kubevirtv1.VirtualMachine)) *kubevirtv1.VirtualMachine {
		vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "other"},
			Spec: kubevirtv1.VirtualMachineSpec{Template: &kubevirtv1.VirtualMachineInstanceTemplateSpec{}}}
		change(vm)
		return vm
	}
	claim := kubevirtv1.PersistentVolumeClaimVolumeSource{
		PersistentVolumeClaimVolumeSource: corev1.PersistentVolumeClaimVolumeSource{ClaimName: lostClaim}}
	cloudInit := kubevirtv1.CloudInitNoCloudSource{
		UserDataSecretRef: &corev1.LocalObjectReference{Name: lostName}}
	volume := func(s kubevirtv1.VolumeSource) func(*kubevirtv1.VirtualMachine) {
		return func(vm *kubevirtv1.VirtualMachine) {
			vm.Spec.Template.Spec.Volumes = []kubevirtv1.Volume{{Name: "v", VolumeSource: s}}
		}
	}
	for _, c := range []struct {
		name   string
		more   client.Object
		change func(*fixture)
		want   []string
	}{
		{name: "a member's", more: nomadNode, want: []string{lostID, lostName, lostClaim}},
		{name: "a VM's of its name", more: other(func(vm *kubevirtv1.VirtualMachine) { vm.Name = "p-1" }),
			want: []string{lostID, lostName, lostClaim}},
		{name: "an instance's of its name",
			more: &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns",
				Name: "p-1"}}, want: []string{lostID, lostName, lostClaim}},
		{name: "a disk that another VM has",
			more: other(volume(kubevirtv1.VolumeSource{PersistentVolumeClaim: &claim})), want: []string{lostClaim}},
		{name: "a Secret that another VM has",
			more: other(volume(kubevirtv1.VolumeSource{CloudInitNoCloud: &cloudInit})), want: []string{lostName}},
		{name: "a node that Nomad is about to hear of again",
			change: func(s *fixture) { s.nomad.view.RecoveredSince = s.clock.Now().Add(time.Hour) }, want: []string{lostID}},
		{name: "a node of a Nomad that can't be asked any more",
			change: func(s *fixture) { s.nomad.view.Health.State = nomad.HealthUnreachable }, want: []string{lostID}},
		{name: "a node of another pool", change: func(s *fixture) { s.edit(func(n *nomad.Node) { n.PoolUID = "another" }) },
			want: []string{lostID}},
		{name: "a node that has come back",
			change: func(s *fixture) { s.edit(func(n *nomad.Node) { n.Status = nomad.NodeReady }) }, want: []string{lostID}},
		{name: "a node of another name", change: func(s *fixture) { s.edit(func(n *nomad.Node) { n.Name = "renamed" }) },
			want: []string{lostID}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var more []client.Object
			if c.more != nil {
				more = append(more, c.more)
			}
			s := newFixture(more...)
			if c.change != nil {
				c.change(s)
			}
			slices.Sort(c.want)
			if left := s.collectFor(t, time.Hour); !slices.Equal(left, c.want) {
				t.Errorf("left: %v, want %v", left, c.want)
			}
		})
	}
}

// edit changes what Nomad answers for the node.
func (s *fixture) edit(change func(*nomad.Node)) {
	n := s.nomad.inside[lostID]
	change(&n)
	s.nomad.inside[lostID] = n
}

// A resource that has only some of a member's labels and annotations stays.
func TestLabelsThatDontAgreeAreNotEnough(t *testing.T) {
	for name, change := range map[string]func(*metav1.ObjectMeta){
		"a label without a pool's UID": func(m *metav1.ObjectMeta) { m.Annotations = nil },
		"no label":                     func(m *metav1.ObjectMeta) { delete(m.Labels, v1alpha1.PoolLabel) },
		"another member's":             func(m *metav1.ObjectMeta) { m.Labels[v1alpha1.NodeLabel] = "p-2" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture()
			for _, o := range []client.Object{&corev1.PersistentVolumeClaim{}, &corev1.Secret{}} {
				key := client.ObjectKey{Namespace: "ns", Name: lostClaim}
				if _, secret := o.(*corev1.Secret); secret {
					key.Name = lostName
				}
				if err := s.Client.Get(t.Context(), key, o); err != nil {
					t.Fatal(err)
				}
				m := metav1.ObjectMeta{Labels: o.GetLabels(), Annotations: o.GetAnnotations()}
				change(&m)
				o.SetLabels(m.Labels)
				o.SetAnnotations(m.Annotations)
				if err := s.Client.Update(t.Context(), o); err != nil {
					t.Fatal(err)
				}
			}
			if left := s.collectFor(t, time.Hour); !slices.Contains(left, lostClaim) || !slices.Contains(left, lostName) {
				t.Errorf("left: only %v", left)
			}
		})
	}
}

// A run that panics, such as on an unexpected answer of Nomad, ends neither the process nor the next run.
func TestRunThatPanicsEndsAlone(t *testing.T) {
	s := newFixture()
	live := s.Live
	s.Live = nil
	if err := s.collectSafely(t.Context()); err == nil || !strings.Contains(err.Error(), "panic") {
		t.Errorf("got %v", err)
	}
	s.Live = live
	if err := s.collectSafely(t.Context()); err != nil {
		t.Error(err)
	}
}
