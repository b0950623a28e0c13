// Package guest tests a pool whose VMs are whole machines, with a kernel, systemd, cloud-init and Nomad of their own:
// what the other tests take for granted of a guest. It needs qemu and what else `hack/needs.sh guest` names.
package guest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// bootTime is many times what two emulated machines take to boot side by side.
const bootTime = 10 * time.Minute

var w *testenv.Environment

func TestMain(m *testing.M) {
	o := testenv.Options{ACL: true, Guest: hypervisor.QemuGuest, Progress: os.Stderr}
	os.Exit(
		testenv.Main(m, o, func(started *testenv.Environment) {
			w = started
			o := testenv.ControllerOptions{Args: []string{testenv.Verbose}}
			if _, err := w.StartController(context.Background(), o); err != nil {
				fmt.Fprintln(os.Stderr, err)
				_ = w.Stop()
				os.Exit(1)
			}
		}),
	)
}

// read returns the pool and its members.
func read(ctx context.Context) (*v1alpha1.NomadNodePool, []v1alpha1.NomadNode, error) {
	p := &v1alpha1.NomadNodePool{}
	if err := w.Client.Get(ctx, client.ObjectKey{Namespace: fixtures.Namespace, Name: pool}, p); err != nil {
		return nil, nil, err
	}
	var l v1alpha1.NomadNodeList
	err := w.Client.List(ctx, &l, ofPool...)
	return p, l.Items, err
}

var ofPool = []client.ListOption{
	client.InNamespace(fixtures.Namespace),
	client.MatchingLabels{v1alpha1.PoolLabel: pool},
}

// allReady waits until the pool has exactly n members, all ready, and returns them.
func allReady(t *testing.T, n int) []v1alpha1.NomadNode {
	t.Helper()
	var members []v1alpha1.NomadNode
	eventually(t, fmt.Sprintf("%d ready members", n), func(ctx context.Context) error {
		p, nodes, err := read(ctx)
		if err != nil {
			return err
		}
		ready := meta.IsStatusConditionTrue(p.Status.Conditions, v1alpha1.PoolReady) &&
			p.Status.ObservedGeneration == p.Generation
		if !ready || len(nodes) != n || int(p.Status.ReadyReplicas) != n {
			return fmt.Errorf("%d members, status %+v", len(nodes), p.Status)
		}
		members = nodes
		return nil
	})
	return members
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), bootTime)
	defer cancel()
	if err := process.WaitFor(ctx, 250*time.Millisecond, what, check); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s after %s", what, time.Since(began).Round(time.Second))
}

func scale(t *testing.T, replicas int32) {
	t.Helper()
	p := &v1alpha1.NomadNodePool{}
	p.Namespace, p.Name = fixtures.Namespace, pool
	patch := fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas)
	if err := w.Client.SubResource("scale").Patch(t.Context(), p,
		client.RawPatch("application/merge-patch+json", patch)); err != nil {
		t.Fatal(err)
	}
}

// waitGone waits until nothing is left of the pool: no NomadNode, VM, claim, Secret, Nomad node or guest.
func waitGone(ctx context.Context) error {
	return process.WaitFor(ctx, 250*time.Millisecond, "nothing to be left of the pool", func(ctx context.Context) error {
		var left []string
		for _, l := range []client.ObjectList{&v1alpha1.NomadNodeList{}, &kubevirtv1.VirtualMachineList{},
			&corev1.PersistentVolumeClaimList{}, &corev1.SecretList{}} {
			if err := w.Client.List(ctx, l, ofPool...); err != nil {
				return err
			}
			if n := meta.LenList(l); n > 0 {
				left = append(left, fmt.Sprintf("%d %T", n, l))
			}
		}
		nodes, _, err := w.Nomad.Nodes().
			List((&api.QueryOptions{Filter: fmt.Sprintf("NodePool == %q", pool)}).WithContext(ctx))
		if err != nil {
			return err
		}
		if guests := w.Hypervisor.Guests(); len(left)+len(nodes)+len(guests) > 0 {
			return fmt.Errorf("left: %v, %d Nomad nodes, guests %+v", left, len(nodes), guests)
		}
		return nil
	})
}
