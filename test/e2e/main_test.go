// Package e2e tests controller and plugin on the embedded environment, each as its own service account.
//
// Tests that disturb what all share (the controller, Nomad, the API server, the namespace) run one after the other;
// those that only have pools of their own run in parallel, after them.
package e2e

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/pkg/nomadtarget"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

var (
	w *testenv.Environment
	// controller is the one that all tests share; those that stop it start it again.
	controller *testenv.Controller
)

// guests is what the VMs run: Nomad agents, or, for the tests of what others do to a pool, simulated ones, of which
// many fit in.
var guests = hypervisor.GuestKind(os.Getenv("NOMAD_HARVESTER_GUESTS"))

// platform is which version of Harvester there is: empty, or the harvester-lite of another one.
var platform = binaries.Tool(os.Getenv("NOMAD_HARVESTER_PLATFORM"))

// purgeTimeout is for how long a member's removal waits for a Nomad that can't be asked: not long, for the tests'
// sake.
const purgeTimeout = 20 * time.Second

// passwordOfGuests is a secret in the user data of every pool that has none of its own.
var passwordOfGuests = rand.Text()

var controllerArgs = append(
	[]string{"--leader-elect=false", "--purge-timeout=" + purgeTimeout.String(), testenv.Verbose}, gcArgs...)

// memoryEnv is config/manager/deployment.yaml's.
const memoryEnv = "GOMEMLIMIT=220MiB"

// defaultCredentials is where the default credentials may be put, as a Secret is mounted, and authToken the controller's
// token for Nomad, as kubelet puts it.
var defaultCredentials, authToken string

func TestMain(m *testing.M) {
	if nomadtarget.IsPluginLaunch(os.Environ()) {
		servePanicking()
		return
	}
	var tests testenv.Tests = m
	seen := &output{}
	if recordTo != "" {
		tests = recording{tests, seen}
	}
	os.Exit(
		testenv.Main(tests, testenv.Options{ACL: true, Progress: os.Stderr, Guest: guests, Harvester: platform},
			func(started *testenv.Environment) {
				w = started
				defaultCredentials = filepath.Join(w.Dir, "own-credentials")
				if err := os.Mkdir(defaultCredentials, 0o755); err != nil {
					exit(err)
				}
				authToken = filepath.Join(w.Dir, "nomad-auth-token")
				args := append(controllerArgs, "--nomad-credentials-dir="+defaultCredentials, "--nomad-auth-token-file="+authToken)
				c, err := w.StartController(context.Background(), testenv.ControllerOptions{Args: args, Env: []string{memoryEnv}})
				if err != nil {
					exit(err)
				}
				controller = c
				if err := errors.Join(seen.watchIfWanted(w), w.Secrets.Add("the user data of a pool", passwordOfGuests)); err != nil {
					exit(err)
				}
			}),
	)
}

// exit ends everything when there can't be any tests.
func exit(err error) {
	fmt.Fprintln(os.Stderr, err)
	_ = w.Stop()
	os.Exit(1)
}

// newPool is a pool of Nomad clients in the environment; tests change what they are about.
func newPool(name string, replicas int32, change ...func(*v1alpha1.NomadNodePool)) *v1alpha1.NomadNodePool {
	p := &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name},
		Spec: v1alpha1.NomadNodePoolSpec{
			Replicas: ptr.To(replicas),
			Nomad: v1alpha1.NomadSpec{NomadClient: v1alpha1.NomadClient{
				Servers: []string{w.NomadServer.RPCAddr}, NodePool: name,
			}},
			Template: v1alpha1.NodeTemplate{
				CPU: 2, Memory: resource.MustParse("2Gi"),
				Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: fixtures.Image}},
				Networks: []v1alpha1.Network{{Name: fixtures.Network}},
			},
		},
	}
	for _, c := range change {
		c(p)
	}
	if t := &p.Spec.Template; t.From == nil && t.CloudInit == (v1alpha1.CloudInit{}) {
		t.CloudInit.UserData = "#cloud-config\npassword: " + passwordOfGuests + "\n"
	}
	return p
}

// pools are the tests that made them, by name: tests that run side by side can't share one, and whether they do is chance.
var pools sync.Map

// create makes a pool, and in the end deletes it and checks that nothing is left of it.
func create(t *testing.T, p *v1alpha1.NomadNodePool) {
	t.Helper()
	if other, taken := pools.LoadOrStore(p.Name, t.Name()); taken && other != t.Name() {
		t.Fatalf("%s makes a pool %s too", other, p.Name)
	}
	if err := w.Client.Create(t.Context(), p); err != nil {
		t.Fatalf("creating pool %s: %v", p.Name, err)
	}
	t.Cleanup(func() { remove(t, p) })
}

// createObject makes any other object, which goes with the test.
func createObject(t *testing.T, o client.Object) {
	t.Helper()
	if err := w.Client.Create(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.Client.Delete(context.Background(), o) })
}

// remove deletes a pool after its test, and checks that nothing is left of it.
func remove(t *testing.T, p *v1alpha1.NomadNodePool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	if t.Failed() {
		t.Log(describe(ctx, p.Name))
	}
	_ = client.IgnoreNotFound(w.Client.Delete(ctx, p))
	if err := gone(ctx, p.Name); err != nil {
		t.Error(err)
		t.Log(describe(ctx, p.Name))
	}
}

// gone waits until nothing is left of a pool: no NomadNode, VM, claim, Secret or Nomad node.
func gone(ctx context.Context, pool string) error {
	return process.WaitFor(ctx, 200*time.Millisecond, "nothing to be left of pool "+pool, func(ctx context.Context) error {
		var left []string
		for _, l := range []client.ObjectList{&v1alpha1.NomadNodeList{}, &kubevirtv1.VirtualMachineList{},
			&corev1.PersistentVolumeClaimList{}, &corev1.SecretList{}} {
			if err := w.Client.List(ctx, l, of(pool)...); err != nil {
				return err
			}
			if err := meta.EachListItem(l, func(o runtime.Object) error {
				left = append(left, fmt.Sprintf("%T %s", o, o.(client.Object).GetName()))
				return nil
			}); err != nil {
				return err
			}
		}
		for _, n := range nomadNodes(pool) {
			left = append(left, "Nomad node "+n.Name+" "+n.Status)
		}
		if len(left) > 0 {
			return fmt.Errorf("left: %s", strings.Join(left, ", "))
		}
		return nil
	})
}

func of(pool string) []client.ListOption {
	return []client.ListOption{client.InNamespace(fixtures.Namespace), client.MatchingLabels{v1alpha1.PoolLabel: pool}}
}

func nomadNodes(pool string) []*api.NodeListStub {
	l, _, err := w.Nomad.Nodes().List(&api.QueryOptions{Filter: fmt.Sprintf("NodePool == %q", pool)})
	if err != nil {
		return []*api.NodeListStub{{Name: err.Error()}}
	}
	return l
}

const (
	// slack is how many times longer than on an idle machine things may take: whoever runs the tests on two processors may
	// have to share them.
	slack = 3
	// look is how often a test looks at its pool. The API server has many tests to serve.
	poll = 400 * time.Millisecond
)

// eventually waits for a pool to satisfy a condition, which takes no longer than within on an idle machine.
func eventually(t *testing.T, pool, what string, within time.Duration,
	check func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*within)
	defer cancel()
	err := process.WaitFor(ctx, poll, what, func(ctx context.Context) error {
		p, nodes, err := read(ctx, pool)
		if err != nil {
			return err
		}
		return check(p, nodes)
	})
	if err != nil {
		t.Fatalf("%v", err)
	}
}

func read(ctx context.Context, pool string) (*v1alpha1.NomadNodePool, []v1alpha1.NomadNode, error) {
	p := &v1alpha1.NomadNodePool{}
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: fixtures.Namespace, Name: pool}, p); err != nil {
		return nil, nil, err
	}
	var l v1alpha1.NomadNodeList
	if err := w.Client.List(ctx, &l, of(pool)...); err != nil {
		return nil, nil, err
	}
	return p, l.Items, nil
}

// allReady is satisfied when a pool has exactly n members, all ready, and says so.
func allReady(n int) func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
	return func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		ready := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolReady)
		if int(p.Status.ReadyReplicas) == n && len(nodes) == n && ready != nil && ready.Status == metav1.ConditionTrue &&
			p.Status.ObservedGeneration == p.Generation {
			return nil
		}
		var phases []string
		for _, n := range nodes {
			phases = append(phases, n.Name+"="+string(n.Status.Phase))
		}
		return fmt.Errorf("ready %d of %d, members %v, condition Ready %+v", p.Status.ReadyReplicas, n, phases, ready)
	}
}

// says is satisfied when a pool's condition has a reason and a message that holds all the parts.
func reports(condition, reason string, parts ...string) func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
	return func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error {
		c := meta.FindStatusCondition(p.Status.Conditions, condition)
		if c == nil {
			return fmt.Errorf("no condition %s", condition)
		}
		if c.Reason != reason {
			return fmt.Errorf("condition %s is %s/%s: %s", condition, c.Status, c.Reason, c.Message)
		}
		for _, part := range parts {
			if !strings.Contains(c.Message, part) {
				return fmt.Errorf("the message of %s lacks %q: %s", condition, part, c.Message)
			}
		}
		return nil
	}
}

// scale does what kubectl scale does.
func scale(t *testing.T, pool string, replicas int32) error {
	t.Helper()
	p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: pool}}
	return w.Client.SubResource("scale").Patch(t.Context(), p, replicasPatch(replicas))
}

func replicasPatch(replicas int32) client.Patch {
	return client.RawPatch("application/merge-patch+json", fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
}

// describe is what an operator would look at.
func describe(ctx context.Context, pool string) string {
	var b strings.Builder
	p, nodes, err := read(ctx, pool)
	if err != nil {
		return err.Error()
	}
	// The guests come first: what CI keeps of a long output is its beginning and its end.
	for _, g := range w.Hypervisor.Guests() {
		if g.VM.Namespace == p.Namespace && strings.HasPrefix(g.VM.Name, pool+"-") {
			fmt.Fprintf(&b, "guest %s:\n%s\n", g.VM.Name, process.Tail(g.LogFile, 10))
		}
	}
	for _, e := range w.Hypervisor.Trace() {
		if e.VM.Namespace == p.Namespace && strings.HasPrefix(e.VM.Name, pool+"-") {
			fmt.Fprintf(&b, "%s %s %s %s %s\n", e.Time.Format(time.TimeOnly), e.VM.Name, e.Kind, e.NodeID, e.Detail)
		}
	}
	fmt.Fprintf(&b, "pool %s: %d replicas, %d ready, joins %+v\n", pool, p.DesiredReplicas(), p.Status.ReadyReplicas, p.Status.Joins)
	unexpected(&b, p.Status.Conditions)
	for _, n := range nodes {
		fmt.Fprintf(&b, "member %s: %s, deleted %v, node %s, drain %+v\n", n.Name, n.Status.Phase, n.DeletionTimestamp, n.Spec.NodeID,
			n.Spec.Drain)
		unexpected(&b, n.Status.Conditions)
	}
	fmt.Fprintf(&b, "controller:\n%s\n", process.Tail(controller.Spec.LogFile, 20, `"level":"Level(`))
	return b.String()
}

// unexpected prints the conditions that aren't as they should be.
func unexpected(out *strings.Builder, conditions []metav1.Condition) {
	for _, c := range conditions {
		if c.Reason != v1alpha1.ReasonAsExpected {
			fmt.Fprintf(out, "  %s %s=%s %s: %s\n", c.LastTransitionTime.Format(time.TimeOnly), c.Type, c.Status, c.Reason, c.Message)
		}
	}
}
