package nomadtarget

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/world/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/world/kube"
)

const (
	systemNamespace = "nomad-harvester-system"
	serviceAccount  = "nomad-harvester-autoscaler"
	worldPatience   = 60 * time.Second
)

// startKubernetes starts a real API server with our kinds, and with the plugin's service account and rights as they are
// shipped.
func startKubernetes(t *testing.T) *kube.ControlPlane {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded world")
	}
	paths, err := binaries.Ensure(t.Context(), os.Stderr, binaries.Etcd, binaries.KubeAPIServer, binaries.KubeControllerManager)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), worldPatience)
	defer cancel()
	cp, err := kube.Start(ctx, kube.Options{Etcd: paths[binaries.Etcd], APIServer: paths[binaries.KubeAPIServer],
		ControllerManager: paths[binaries.KubeControllerManager], Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	if err := install(ctx, cp.Client); err != nil {
		t.Fatal(err)
	}
	return cp
}

func install(ctx context.Context, c client.Client) error {
	config := filepath.Join("..", "..", "config")
	crds, err := kube.DecodeDir(filepath.Join(config, "crd", "bases"))
	if err != nil {
		return err
	}
	if err := kube.InstallCRDs(ctx, c, crds...); err != nil {
		return err
	}
	if err := c.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: systemNamespace}}); err != nil {
		return err
	}
	for _, file := range []string{"autoscaler_role.yaml", "autoscaler_role_binding.yaml"} {
		text, err := os.ReadFile(filepath.Join(config, "rbac", file))
		if err != nil {
			return err
		}
		objects, err := kube.Decode(text)
		if err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
		if err := kube.Create(ctx, c, objects...); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

const workersPool = `
apiVersion: nomad.harvesterhci.io/v1alpha1
kind: NomadNodePool
metadata: {name: workers, namespace: default}
spec:
  replicas: 3
  maxReplicas: 6
  nomad: {servers: [nomad.example.com]}
  template:
    cpu: 2
    memory: 4Gi
    disks: [{name: root, size: 20Gi, image: default/image}]
    networks: [{name: default/vlan}]
`

func createWorkers(t *testing.T, c client.Client) {
	t.Helper()
	objects, err := kube.Decode([]byte(workersPool))
	if err != nil {
		t.Fatal(err)
	}
	if err := kube.Create(t.Context(), c, objects...); err != nil {
		t.Fatal(err)
	}
}

func readWorkers(t *testing.T, c client.Client) *unstructured.Unstructured {
	t.Helper()
	pool := &unstructured.Unstructured{}
	pool.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("NomadNodePool"))
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "workers"}, pool); err != nil {
		t.Fatal(err)
	}
	return pool
}

func replicasOf(t *testing.T, pool *unstructured.Unstructured) int64 {
	t.Helper()
	n, _, err := unstructured.NestedInt64(pool.Object, "spec", "replicas")
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// With a real API server, the rights that are shipped, and nothing but them.
func TestRealAPIServer(t *testing.T) {
	cp := startKubernetes(t)
	kubeconfig, err := cp.KubeconfigFor(t.Context(), systemNamespace, serviceAccount)
	if err != nil {
		t.Fatal(err)
	}
	target, logs := newTestTarget(t)
	if err := target.SetConfig(map[string]string{"kubeconfig": kubeconfig}); err != nil {
		t.Fatal(err)
	}
	if ready, count := mustStatus(t, target, workers); ready || count != 0 || len(logs.lines(`"reason":"NotFound"`)) != 1 {
		t.Errorf("Status of a missing pool = %v, %d\n%s", ready, count, logs)
	}
	createWorkers(t, cp.Client)
	if ready, count := mustStatus(t, target, workers); ready || count != 3 || len(logs.lines(`"reason":"NotObserved"`)) != 1 {
		t.Errorf("Status of a pool without a controller = %v, %d\n%s", ready, count, logs)
	}

	t.Run("scale", func(t *testing.T) { testRealScale(t, cp, target, logs) })
	t.Run("optimistic lock", func(t *testing.T) { testRealConflict(t, cp, target) })
	t.Run("limits", func(t *testing.T) { testRealLimits(t, target) })
}

func testRealScale(t *testing.T, cp *kube.ControlPlane, target *Target, logs *logBuffer) {
	if err := target.Scale(to(5), workers); err != nil {
		t.Fatal(err)
	}
	pool := readWorkers(t, cp.Client)
	if n := replicasOf(t, pool); n != 5 {
		t.Errorf("replicas = %d; want 5", n)
	}
	if reason := pool.GetAnnotations()[v1alpha1.ScaleReasonAnnotation]; !strings.HasPrefix(reason, "5 replicas asked for by the Nomad Autoscaler policy p-1") {
		t.Errorf("reason = %q", reason)
	}
	var scaledBy []string
	for _, f := range pool.GetManagedFields() {
		if f.Subresource == "scale" {
			scaledBy = append(scaledBy, f.Manager)
		}
	}
	if len(scaledBy) != 1 || scaledBy[0] != v1alpha1.AutoscalerFieldManager {
		t.Errorf("the scale subresource was written by %v", scaledBy)
	}
	if len(logs.lines(`"@level":"warn"`, "could not be noted")) != 0 {
		t.Errorf("the shipped rights don't suffice:\n%s", logs)
	}
}

func testRealConflict(t *testing.T, cp *kube.ControlPlane, target *Target) {
	c, pool := readAsPlugin(t, target)
	if err := annotate(t.Context(), c, pool.DeepCopy(), "example.com/other", "writer"); err != nil {
		t.Fatal(err)
	}
	if err := setScale(t.Context(), c, pool, 4); !apierrors.IsConflict(err) {
		t.Errorf("scale of a stale read = %v; want a conflict", err)
	}
	if n := replicasOf(t, readWorkers(t, cp.Client)); n != 5 {
		t.Errorf("replicas = %d; want 5", n)
	}
}

func testRealLimits(t *testing.T, target *Target) {
	c, pool := readAsPlugin(t, target)
	if err := setScale(t.Context(), c, pool, 7); err == nil || !strings.Contains(err.Error(), "spec.replicas: 7 is more than spec.maxReplicas 6") {
		t.Errorf("scale beyond maxReplicas = %v; want the CRD's own words", err)
	}
	if err := c.Delete(t.Context(), pool); !apierrors.IsForbidden(err) {
		t.Errorf("deleting the pool = %v; want forbidden", err)
	}
}

// readAsPlugin is the plugin's own client, and the pool as it sees it.
func readAsPlugin(t *testing.T, target *Target) (client.Client, *v1alpha1.NomadNodePool) {
	t.Helper()
	c, err := target.currentClient()
	if err != nil {
		t.Fatal(err)
	}
	pool := &v1alpha1.NomadNodePool{}
	if err := c.Get(t.Context(), client.ObjectKey{Namespace: "default", Name: "workers"}, pool); err != nil {
		t.Fatal(err)
	}
	return c, pool
}
