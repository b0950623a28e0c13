package nomadtarget

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubetest"
)

const (
	systemNamespace = "nomad-harvester-system"
	serviceAccount  = "nomad-harvester-autoscaler"
	startTimeout    = 60 * time.Second
)

// startKubernetes starts a real API server with our kinds, and with the plugin's service account and rights as they are
// shipped.
func startKubernetes(t *testing.T) *kube.ControlPlane {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a Kubernetes API server, which is part of the embedded environment")
	}
	return kubetest.Start(t, startTimeout,
		func(ctx context.Context, cp *kube.ControlPlane) error { return install(ctx, cp.Client) })
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
	for _, file := range []string{"rbac/autoscaler_role.yaml", "rbac/autoscaler_events_role.yaml",
		"rbac/autoscaler_service_account.yaml", "autoscaler/role_binding.yaml"} {
		if err := create(ctx, c, file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

// create makes what a file of config has, in the namespace of the pools, as kubectl apply -n does.
func create(ctx context.Context, c client.Client, file string) error {
	text, err := os.ReadFile(filepath.Join("..", "..", "config", filepath.FromSlash(file)))
	if err != nil {
		return err
	}
	objects, err := kube.Decode(text)
	if err != nil {
		return err
	}
	for _, o := range objects {
		if o.GetKind() == "RoleBinding" {
			o.SetNamespace("default")
		}
	}
	return kube.Create(ctx, c, objects...)
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
	if ready, count := mustStatus(t, target, workers); ready || count != 3 ||
		len(logs.lines(`"reason":"NotObserved"`)) != 1 {
		t.Errorf("Status of a pool without a controller = %v, %d\n%s", ready, count, logs)
	}

	t.Run("scale", func(t *testing.T) { testRealScale(t, cp, target, logs) })
	t.Run("optimistic lock", func(t *testing.T) { testRealConflict(t, cp, target) })
	t.Run("limits", func(t *testing.T) { testRealLimits(t, target) })
	t.Run("rights", func(t *testing.T) { testRealRights(t, target, kubeconfig) })
	t.Run("dry run", func(t *testing.T) { testRealDryRun(t, cp, target) }) // last, because it gives another right
}

// An Event of a dry run is made with the shipped role where that is bound, and kubectl describe finds it.
func testRealDryRun(t *testing.T, cp *kube.ControlPlane, target *Target) {
	made := func() (events []eventsv1.Event) {
		t.Helper()
		var all eventsv1.EventList
		if err := cp.Client.List(t.Context(), &all, client.InNamespace("default")); err != nil {
			t.Fatal(err)
		}
		for _, e := range all.Items {
			if e.Reason == reasonDryRun {
				events = append(events, e)
			}
		}
		return events
	}
	run := func(count int64) {
		t.Helper()
		if err := target.Scale(dry(count, "p-1"), workers); err != nil {
			t.Error(err)
		}
		target.background.Wait()
	}
	run(4)
	if got := made(); len(got) > 0 {
		t.Fatalf("without the right there are %v", got)
	}
	if err := create(t.Context(), cp.Client, "autoscaler/events_role_binding.yaml"); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(30 * time.Second) // a role is in force a moment later
	for count := int64(5); len(made()) == 0 && time.Now().Before(deadline); count++ {
		run(count)
		time.Sleep(100 * time.Millisecond)
	}
	before := len(made())
	run(2)
	run(2)
	events := made()
	if len(events) != before+1 {
		t.Fatalf("%d Events became %v", before, events)
	}
	pool := readWorkers(t, cp.Client)
	for _, e := range events {
		// kubectl describe looks for all of these.
		if of := e.Regarding; of.Name != "workers" || of.Kind != "NomadNodePool" || of.UID != pool.GetUID() ||
			e.Type != corev1.EventTypeNormal {
			t.Errorf("an Event is %+v", e)
		}
	}
}

// scalers are the field managers that the API server has as owners of the pool's number, by the scale subresource or
// otherwise.
func scalers(pool *unstructured.Unstructured) []string {
	var all []string
	for _, f := range pool.GetManagedFields() {
		if f.FieldsV1 != nil && strings.Contains(f.FieldsV1.GetRawString(), `"f:replicas"`) {
			all = append(all, f.Subresource+":"+f.Manager)
		}
	}
	return all
}

// The API server records who scaled, and forgets the one before.
func testRealScale(t *testing.T, cp *kube.ControlPlane, target *Target, logs *logBuffer) {
	for _, step := range []struct {
		policy   string
		replicas int64
	}{{"p-1", 5}, {"p-2", 4}, {strings.Repeat("é", 100), 2}, {"p-1", 5}} {
		action := to(step.replicas)
		action.Meta = map[string]any{metaPolicyID: step.policy}
		if err := target.Scale(action, workers); err != nil {
			t.Fatal(err)
		}
		pool, want := readWorkers(t, cp.Client), "scale:"+fieldManager(action)
		if n := replicasOf(t, pool); n != step.replicas {
			t.Errorf("replicas = %d; want %d", n, step.replicas)
		}
		if got := strings.Join(scalers(pool), ", "); got != want {
			t.Errorf("scaled to %d by %q; want %q", step.replicas, got, want)
		}
	}
	if refusals := logs.lines("orbidden"); len(refusals) > 0 {
		t.Errorf("the shipped rights don't suffice:\n%s", refusals)
	}
	// After somebody else, it is somebody else's.
	other := []byte(`{"spec":{"replicas":3}}`)
	err := cp.Client.SubResource("scale").
		Patch(t.Context(), readWorkers(t, cp.Client), client.RawPatch(types.MergePatchType, other),
			client.WithSubResourceBody(&autoscalingv1.Scale{}), client.FieldOwner("kubectl"))
	if err != nil {
		t.Fatal(err)
	}
	if got := scalers(readWorkers(t, cp.Client)); len(got) != 1 || got[0] != "scale:kubectl" {
		t.Errorf("after kubectl scale the number is %v's", got)
	}
}

func testRealConflict(t *testing.T, cp *kube.ControlPlane, target *Target) {
	c, pool := readAsPlugin(t, target)
	other := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"annotations":{"example.com/other":"writer"}}}`))
	if err := cp.Client.Patch(t.Context(), readWorkers(t, cp.Client), other); err != nil {
		t.Fatal(err)
	}
	if err := setScale(t.Context(), c, pool, 4, "p"); !apierrors.IsConflict(err) {
		t.Errorf("scale of a stale read = %v; want a conflict", err)
	}
	if n := replicasOf(t, readWorkers(t, cp.Client)); n != 3 {
		t.Errorf("replicas = %d; want 3", n)
	}
}

func testRealLimits(t *testing.T, target *Target) {
	c, pool := readAsPlugin(t, target)
	if err := setScale(t.Context(), c, pool, 7, "p"); err == nil ||
		!strings.Contains(err.Error(), "spec.replicas: 7 is more than spec.maxReplicas 6") {
		t.Errorf("scale beyond maxReplicas = %v; want the CRD's own words", err)
	}
}

// With the plugin's credentials nobody gets further than the number of a pool, in the namespaces that were bound.
func testRealRights(t *testing.T, target *Target, kubeconfig string) {
	c, pool := readAsPlugin(t, target)
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	kubernetes, err := client.New(config, client.Options{})
	if err != nil {
		t.Fatal(err)
	}
	merge := func(text string) client.Patch { return client.RawPatch(types.MergePatchType, []byte(text)) }
	elsewhere := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: systemNamespace, Name: "workers"}}
	scaleOf := client.WithSubResourceBody(&autoscalingv1.Scale{Spec: autoscalingv1.ScaleSpec{Replicas: 1}})
	for name, try := range map[string]func(ctx context.Context) error{
		"annotate a pool": func(ctx context.Context) error {
			return c.Patch(ctx, pool.DeepCopy(), merge(`{"metadata":{"annotations":{"a":"b"}}}`))
		},
		"label a pool": func(ctx context.Context) error {
			return c.Patch(ctx, pool.DeepCopy(), merge(`{"metadata":{"labels":{"a":"b"}}}`))
		},
		"send a pool elsewhere": func(ctx context.Context) error {
			return c.Patch(ctx, pool.DeepCopy(), merge(`{"spec":{"nomad":{"address":"https://evil.example.com"}}}`))
		},
		"replicas past the scale": func(ctx context.Context) error {
			return c.Patch(ctx, pool.DeepCopy(), merge(`{"spec":{"replicas":1}}`))
		},
		"apply a pool": func(ctx context.Context) error {
			return c.Patch(ctx, pool.DeepCopy(),
				client.RawPatch(types.ApplyPatchType,
					[]byte(`{"apiVersion":"nomad.harvesterhci.io/v1alpha1","kind":"NomadNodePool","spec":{"paused":true}}`)),
				client.FieldOwner("p"))
		},
		"update a pool": func(ctx context.Context) error { return c.Update(ctx, pool.DeepCopy()) },
		"update a scale": func(ctx context.Context) error {
			return c.SubResource("scale").Update(ctx, pool.DeepCopy(),
				scaleOf)
		},
		"write a status": func(ctx context.Context) error {
			return c.Status().Patch(ctx, pool.DeepCopy(), merge(`{"status":{"replicas":1}}`))
		},
		"delete a pool": func(ctx context.Context) error { return c.Delete(ctx, pool.DeepCopy()) },
		"delete all pools": func(ctx context.Context) error {
			return c.DeleteAllOf(ctx, &v1alpha1.NomadNodePool{}, client.InNamespace("default"))
		},
		"list pools": func(ctx context.Context) error {
			return c.List(ctx, &v1alpha1.NomadNodePoolList{}, client.InNamespace("default"))
		},
		"read a pool elsewhere": func(ctx context.Context) error {
			return c.Get(ctx, client.ObjectKeyFromObject(elsewhere), elsewhere.DeepCopy())
		},
		"scale a pool elsewhere": func(ctx context.Context) error { return setScale(ctx, c, elsewhere, 1, "p") },
		"read a Secret": func(ctx context.Context) error {
			return kubernetes.Get(ctx, client.ObjectKey{Namespace: "default", Name: "s"}, &corev1.Secret{})
		},
		"list Secrets": func(ctx context.Context) error {
			return kubernetes.List(ctx, &corev1.SecretList{}, client.InNamespace("default"))
		},
		"make a Secret": func(ctx context.Context) error {
			return kubernetes.Create(ctx, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "s"}})
		},
		"make a pod": func(ctx context.Context) error {
			return kubernetes.Create(ctx, &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "default", Name: "p"}})
		},
		"list namespaces": func(ctx context.Context) error { return kubernetes.List(ctx, &corev1.NamespaceList{}) },
	} {
		if err := try(t.Context()); !apierrors.IsForbidden(err) {
			t.Errorf("%s: %v; want forbidden", name, err)
		}
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
