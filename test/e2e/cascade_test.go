package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// kubectl delete nomadnodepool --cascade=orphan leaves the members to themselves: they go on, say so, and each can be
// deleted, which drains it. A new pool of the same name makes members of its own and leaves these alone.
func TestOthersDeleteAPoolButNotItsMembers(t *testing.T) {
	t.Parallel()
	p := newPool("orphaned", 2)
	create(t, p)
	eventually(t, "orphaned", "the pool to settle", time.Minute, allReady(2))
	service(t, "orphaned", "orphaned-service", 2)
	orphans, uids := members(t, "orphaned"), vmUIDs(t, "orphaned")
	if err := w.Client.Delete(t.Context(), p, client.PropagationPolicy(metav1.DeletePropagationOrphan)); err != nil {
		t.Fatal(err)
	}
	awaitFor(t, "the pool to be gone", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(p), &v1alpha1.NomadNodePool{}); !apierrors.IsNotFound(err) {
			return fmt.Errorf("it is there (%w)", err)
		}
		return nil
	})

	// In the end there will be nowhere for the job to go.
	create(t,
		newPool("orphaned", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Drain.Deadline.Duration = 5 * time.Second }))
	eventually(t, "orphaned", "a member of the new pool", time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if p.Status.Replicas != 1 || p.Status.ReadyReplicas != 1 || len(nodes) != 3 {
				return fmt.Errorf("%d replicas, %d ready, %d members", p.Status.Replicas, p.Status.ReadyReplicas, len(nodes))
			}
			return nil
		})
	reported(t, "orphaned", "PoolGone", "delete this NomadNode")
	for _, n := range members(t, "orphaned") {
		if old := slices.ContainsFunc(orphans, func(o v1alpha1.NomadNode) bool { return o.UID == n.UID }); old &&
			(len(n.OwnerReferences) > 0 || n.Spec.Drain != nil || n.Status.Phase != v1alpha1.NodePhaseReady) {
			t.Errorf("the orphan %s: owners %v, drain %v, phase %s", n.Name, n.OwnerReferences, n.Spec.Drain, n.Status.Phase)
		}
	}
	now := vmUIDs(t, "orphaned")
	for uid := range uids {
		if !now[uid] {
			t.Errorf("VM %s is gone", uid)
		}
	}
	for i := range orphans {
		if err := w.Client.Delete(t.Context(), &orphans[i]); err != nil {
			t.Fatal(err)
		}
		eventually(t, "orphaned", "the orphan to be gone", time.Minute, without(orphans[i].Name))
	}
	eventually(t, "orphaned", "the new pool to be whole", time.Minute, allReady(1))
	running(t, "orphaned-service", 2)
	if moved := noneLost(t, "orphaned-service"); moved < 2 {
		t.Errorf("%d allocations were moved, not 2", moved)
	}
	onlyMembersLeft(t, "orphaned")
}

// A NomadNode that is deleted in the foreground, as clients other than kubectl may, is drained all the same.
func TestOthersDeleteNomadNodesInTheForeground(t *testing.T) {
	t.Parallel()
	create(t, newPool("ahead", 2))
	eventually(t, "ahead", "the pool to settle", time.Minute, allReady(2))
	service(t, "ahead", "ahead-service", 2)
	leaving := members(t, "ahead")[0]
	if err := w.Client.Delete(t.Context(), &leaving,
		client.PropagationPolicy(metav1.DeletePropagationForeground)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "ahead", "the member to be replaced", time.Minute, both(without(leaving.Name), allReady(2)))
	running(t, "ahead-service", 2)
	if noneLost(t, "ahead-service") != 1 {
		t.Error("the member's allocation wasn't moved")
	}
	onlyMembersLeft(t, "ahead")
}

// awaitFor waits for something that isn't seen in a pool.
func awaitFor(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := process.WaitFor(ctx, 100*time.Millisecond, what, check); err != nil {
		t.Fatalf("%v\n%s", err, controller.Process().Tail(20))
	}
}

func inNamespace(name string) client.ObjectKey {
	return client.ObjectKey{Namespace: fixtures.Namespace, Name: name}
}

// awaitGone waits for the end of an object, also in a cleanup.
func awaitGone(t *testing.T, o client.Object) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	err := process.WaitFor(ctx, 100*time.Millisecond, o.GetName()+" to be gone", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(o), o); !apierrors.IsNotFound(err) {
			return errors.Join(errNotYet, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
