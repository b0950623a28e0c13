package pool

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	testkube "github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubetest"
)

const ownedPool = `
apiVersion: nomad.harvesterhci.io/v1alpha1
kind: NomadNodePool
metadata: {name: workers, namespace: default}
spec:
  replicas: 3
  nomad: {servers: [nomad.example.com]}
  template:
    cpu: 2
    memory: 4Gi
    disks: [{name: root, size: 20Gi, image: default/image}]
    networks: [{name: default/vlan}]
`

// startAPIServer starts a real API server with our kinds, and returns the clients of its administrator and of the
// controller's service account with the rights that are shipped.
func startAPIServer(t *testing.T) (admin, controller client.Client) {
	t.Helper()
	const system = "nomad-harvester-system"
	cp := kubetest.Start(t, time.Minute, func(ctx context.Context, cp *testkube.ControlPlane) error {
		crds, err := testkube.DecodeDir(filepath.Join("..", "..", "config", "crd", "bases"))
		if err != nil {
			return err
		}
		if err := testkube.InstallCRDs(ctx, cp.Client, crds...); err != nil {
			return err
		}
		if err := cp.Client.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: system}}); err != nil {
			return err
		}
		roles, err := testkube.DecodeDir(filepath.Join("..", "..", "config", "rbac"))
		if err != nil {
			return err
		}
		roles = slices.DeleteFunc(roles, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Kustomization" })
		if err := testkube.Apply(ctx, cp.Client, "test", roles...); err != nil {
			return err
		}
		config, err := cp.RESTConfigFor(ctx, system, "nomad-harvester-controller")
		if err != nil {
			return err
		}
		controller, err = client.New(config, client.Options{Scheme: kube.Scheme()})
		return err
	})
	return cp.Client, controller
}

// Who scales a pool from 0 is recorded, although Kubernetes forgets who scaled it to 0, and everybody after that.
func TestWhoScalesFromZeroIsRecorded(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, controller := startAPIServer(t)
	objects, err := testkube.Decode([]byte(ownedPool))
	if err != nil {
		t.Fatal(err)
	}
	if err := testkube.Create(t.Context(), admin, objects...); err != nil {
		t.Fatal(err)
	}
	read := func() *v1alpha1.NomadNodePool {
		t.Helper()
		p := &v1alpha1.NomadNodePool{}
		if err := controller.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "workers"}, p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	scale := func(manager string, replicas int) {
		t.Helper()
		patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"replicas":%d}}`, replicas))
		err := admin.SubResource("scale").
			Patch(t.Context(), objects[0].DeepCopy(), patch, client.WithSubResourceBody(&autoscalingv1.Scale{}),
				client.FieldOwner(manager))
		if err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		scale("nomad-autoscaler/p-1", 0)
		p := read()
		if by := scaledBy(p); by != "" {
			t.Errorf("0 is owned by %q", by)
		}
		if err := keepReplicas(t.Context(), controller, p); err != nil {
			t.Fatal(err)
		}
		kept := read()
		if by := scaledBy(kept); by != replicasKeeper || kept.DesiredReplicas() != 0 || kept.Generation != p.Generation {
			t.Errorf("kept by %q, with %d replicas, in generation %d after %d", by, kept.DesiredReplicas(), kept.Generation,
				p.Generation)
		}
		if err := keepReplicas(t.Context(), controller, p); err != nil {
			t.Errorf("by a stale read: %v", err)
		}
		scale("nomad-autoscaler/p-2", 2)
		if p := read(); scaledBy(p) != "nomad-autoscaler/p-2" {
			t.Errorf("scaled from 0 by %q: %+v", scaledBy(p), p.ManagedFields)
		}
	}
}

// Replicas that are left out are filled in: minReplicas, be it 0, in a new pool, and the number before in one that
// had some, as when they are taken out of Git because an autoscaler is to decide.
func TestReplicasThatAreLeftOutAreFilledIn(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	admin, controller := startAPIServer(t)
	declare := func(replicas string) {
		t.Helper()
		objects, err := testkube.Decode([]byte(strings.Replace(ownedPool, "  replicas: 3\n", replicas, 1)))
		if err != nil {
			t.Fatal(err)
		}
		if err := testkube.Apply(t.Context(), admin, "git", objects...); err != nil {
			t.Fatal(err)
		}
	}
	filled := func(last *v1alpha1.ScaleChange, want int32) {
		t.Helper()
		p, key := &v1alpha1.NomadNodePool{}, client.ObjectKey{Namespace: "default", Name: "workers"}
		if err := controller.Get(t.Context(), key, p); err != nil {
			t.Fatal(err)
		}
		if p.Spec.Replicas != nil && last == nil {
			t.Errorf("replicas are %d before anybody has set them", *p.Spec.Replicas)
		}
		p.Status.LastScale = last
		if err := keepReplicas(t.Context(), controller, p); err != nil {
			t.Fatal(err)
		}
		if err := controller.Get(t.Context(), key, p); err != nil || p.Spec.Replicas == nil || *p.Spec.Replicas != want {
			t.Errorf("replicas are %d, %v; want %d", p.DesiredReplicas(), err, want)
		}
	}
	declare("  minReplicas: 3\n")
	filled(nil, 3)
	declare("  minReplicas: 3\n  replicas: 5\n")
	declare("  minReplicas: 3\n")
	filled(&v1alpha1.ScaleChange{To: 5}, 5)
}
