package e2e

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// gcArgs have the controller of all tests collect garbage soon, so that each of them also shows what isn't collected.
var gcArgs = []string{"--gc-interval=2s", "--gc-grace-period=6s"}

// Somebody takes the finalizer off a NomadNode and deletes it, then its VM: the pool makes another member, and what
// is left is collected after a while. What only resembles it stays.
func TestOthersLoseANomadNode(t *testing.T) {
	t.Parallel()
	create(t, newPool("lost", 2))
	eventually(t, "lost", "the pool to settle", time.Minute, allReady(2))
	lost, down := members(t, "lost")[0], members(t, "lost")[1]
	if err := w.Hypervisor.PauseGuest(client.ObjectKeyFromObject(&down)); err != nil {
		t.Fatal(err)
	}
	stray := externalClaim(t, lost)
	elsewhere := externalNode(t, "lost")

	unfinish := client.RawPatch("application/merge-patch+json", []byte(`{"metadata":{"finalizers":null}}`))
	if err := errors.Join(w.Client.Patch(t.Context(), lost.DeepCopy(), unfinish),
		w.Client.Delete(t.Context(), &lost)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lost", "another member", time.Minute, both(without(lost.Name), nomadStatus("ready", 1)))
	reported(t, "lost", "VMOrphaned", lost.Name)
	if len(leftOf(t, lost)) != len(lost.Status.Claims)+2 {
		t.Errorf("while its VM runs, of %s only %v is left", lost.Name, leftOf(t, lost))
	}
	allow := client.RawPatch("application/merge-patch+json",
		fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"test"}}}`, v1alpha1.AllowDeleteAnnotation))
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: lost.Namespace, Name: lost.Name}}
	if err := errors.Join(w.Client.Patch(t.Context(), vm, allow), w.Client.Delete(t.Context(), vm)); err != nil {
		t.Fatal(err)
	}
	// A Nomad must have been healthy for a minute before one of its nodes is collected.
	eventually(t, "lost", "the rest to be swept", recoveryTime+time.Minute,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			if left := leftOf(t, lost); len(left) > 0 {
				return fmt.Errorf("left: %v", left)
			}
			return nil
		})
	for _, what := range append([]string{lost.Spec.NodeID, blueprint.SecretName(blueprint.MemberOf(&lost))},
		lost.Status.Claims...) {
		reported(t, "lost", "OrphanRemoved", what)
	}
	for _, kind := range []string{"nomad_node", "claim", "secret"} {
		if got := metric(t, fmt.Sprintf("nomad_harvester_orphans_removed_total{kind=%q}", kind)); got == "" || got == "0" {
			t.Errorf("of kind %s the metric says %q", kind, got)
		}
	}

	if err := w.Client.Get(t.Context(), client.ObjectKeyFromObject(stray), stray); err != nil ||
		stray.DeletionTimestamp != nil {
		t.Errorf("the claim without a pool's UID: %v, deleted %v", err, stray.DeletionTimestamp)
	}
	for _, id := range []string{elsewhere, down.Spec.NodeID} {
		if n, _, err := w.Nomad.Nodes().Info(id, nil); err != nil || n.Status != "down" {
			t.Errorf("the Nomad node of another pool or of a member, %s: %+v, %v", id, n, err)
		}
	}
	if err := w.Hypervisor.ResumeGuest(client.ObjectKeyFromObject(&down)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "lost", "the pool to be whole", time.Minute, allReady(2))
}

// leftOf is what is left of a member besides its VM: claims, Secret, Nomad node.
func leftOf(t *testing.T, n v1alpha1.NomadNode) []string {
	t.Helper()
	var left []string
	there := func(o client.Object, name string) {
		t.Helper()
		switch err := w.Client.Get(t.Context(), client.ObjectKey{Namespace: n.Namespace, Name: name}, o); {
		case err == nil:
			left = append(left, name)
		case !apierrors.IsNotFound(err):
			t.Fatal(err)
		}
	}
	for _, c := range n.Status.Claims {
		there(&corev1.PersistentVolumeClaim{}, c)
	}
	there(&corev1.Secret{}, blueprint.SecretName(blueprint.MemberOf(&n)))
	for _, node := range nomadNodes(n.Spec.PoolName) {
		if node.ID == n.Spec.NodeID {
			left = append(left, "Nomad node "+node.Status)
		}
	}
	return left
}

// strangersClaim has the labels of a member's claims, and a name as if it were one of them, but not the UID of its
// pool.
func externalClaim(t *testing.T, n v1alpha1.NomadNode) *corev1.PersistentVolumeClaim {
	t.Helper()
	pvc := &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: n.Namespace, Name: n.Name + "-stray-00000000",
			Labels: map[string]string{v1alpha1.PoolLabel: n.Spec.PoolName, v1alpha1.NodeLabel: n.Name},
		},
		Spec: corev1.PersistentVolumeClaimSpec{
			StorageClassName: new(fixtures.StorageClass), AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteMany},
			Resources: corev1.VolumeResourceRequirements{
				Requests: corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}},
		},
	}
	if err := w.Client.Create(t.Context(), pvc); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Client.Delete(context.Background(), pvc); err != nil {
			t.Error(err)
		}
	})
	return pvc
}

// strangersNode is the ID of a Nomad node that is down, and says that it is of a pool that isn't here: that of another
// Harvester on the same Nomad.
func externalNode(t *testing.T, nodePool string) string {
	t.Helper()
	c, err := simclient.Start(simclient.Options{
		Servers: []string{w.NomadServer.RPCAddr}, Name: "elsewhere-1", NodePool: nodePool,
		Meta: map[string]string{v1alpha1.MetaPoolUID: "7d3c1a9f-0000-4000-8000-000000000001",
			v1alpha1.MetaPool: "other/" + nodePool, v1alpha1.MetaNode: "elsewhere-1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, nodePool, "the stranger's node", 30*time.Second,
		func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
			n, _, err := w.Nomad.Nodes().Info(c.ID(), nil)
			if err == nil && n.Status != "ready" {
				err = errNotYet
			}
			return err
		})
	if err := c.Stop(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, _, err := w.Nomad.Nodes().Purge(c.ID(), nil); err != nil {
			t.Error(err)
		}
	})
	return c.ID()
}

// metric is the value of one of the controller's metrics.
func metric(t *testing.T, name string) string {
	t.Helper()
	text, err := controller.Metrics(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+" "); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}
