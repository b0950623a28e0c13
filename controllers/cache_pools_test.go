package controllers

import (
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// mostCached is how many bytes the controller may hold of a pool, or of a member: with 1,000 pools some 130 MiB of the
// 220 MiB of GOMEMLIMIT, of which it takes 40 MiB without any.
const mostCached = 130 << 10

// What the informers hold of the largest pool, and of its members, is bounded, whatever somebody has put around it.
func TestCachedIsBounded(t *testing.T) {
	pool := blueprinttest.LargestPool("nomad-clients")
	around(&pool.ObjectMeta)
	overlong := pool.DeepCopy()
	overlong.Spec.Template.VirtualMachine = blueprinttest.Overlay(`{"x":"` + strings.Repeat("y", 1<<20) + `"}`)
	member := &v1alpha1.NomadNode{ObjectMeta: pool.ObjectMeta, Spec: v1alpha1.NomadNodeSpec{PoolName: "largest",
		Template: pool.Spec.Template, Nomad: pool.Spec.Nomad}}
	for name, c := range map[string]struct {
		object any
		fresh  func() client.Object
	}{
		"pool":                      {pool, func() client.Object { return &v1alpha1.NomadNodePool{} }},
		"pool with a refused part":  {overlong, func() client.Object { return &v1alpha1.NomadNodePool{} }},
		"member of the largest one": {member, func() client.Object { return &v1alpha1.NomadNode{} }},
	} {
		t.Run(name, func(t *testing.T) {
			doc, err := json.Marshal(c.object)
			if err != nil {
				t.Fatal(err)
			}
			bytes := cachedSize(t, doc, c.fresh)
			t.Logf("%d bytes as JSON, %d cached", len(doc), bytes)
			if bytes > mostCached || bytes < 10<<10 {
				t.Errorf("%d bytes are cached, and at most %d should be", bytes, mostCached)
			}
		})
	}
}

// Of VMs, too, which whoever may make some marks as members as he likes.
func TestCachedVMIsBounded(t *testing.T) {
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "nomad-clients", Name: "vm"}}
	vmi := &kubevirtv1.VirtualMachineInstance{ObjectMeta: vm.ObjectMeta}
	for _, m := range []*metav1.ObjectMeta{&vm.ObjectMeta, &vmi.ObjectMeta} {
		around(m)
		m.Annotations[nodestate.RemovedClaimsAnnotation] = strings.Repeat("a", 20<<10)
	}
	for _, object := range []client.Object{vm, vmi} {
		trim(t, object)
		if doc, err := json.Marshal(object); err != nil || len(doc) > 16<<10 {
			t.Errorf("%d bytes of %T are cached, %v", len(doc), object, err)
		}
	}
}

// around puts what the API server lets somebody put onto an object: a copy of it, and a history.
func around(m *metav1.ObjectMeta) {
	m.Annotations = map[string]string{
		"kubectl.kubernetes.io/last-applied-configuration": strings.Repeat("a", 100<<10),
		v1alpha1.GroupVersion.Group + "/made-up":           strings.Repeat("a", 75<<10),
		v1alpha1.RetryJoinsAnnotation:                      strings.Repeat("a", 75<<10),
	}
	m.Labels = map[string]string{}
	for i := range 1000 {
		m.Labels[fmt.Sprintf("example.com/label-%d", i)] = strings.Repeat("b", 63)
	}
	fields := metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{},"f:` + strings.Repeat("c", 100<<10) + `":{}}}`)
	m.ManagedFields = []metav1.ManagedFieldsEntry{
		{Manager: "kubectl", FieldsV1: fields}, {Manager: "me", FieldsV1: fields}}
}

// cachedSize is how much memory an informer needs for an object that it reads.
func cachedSize(t *testing.T, doc []byte, fresh func() client.Object) int {
	t.Helper()
	const n = 20
	var kept [n]client.Object
	before := heap()
	for i := range kept {
		read := fresh()
		if err := json.Unmarshal(doc, read); err != nil {
			t.Fatal(err)
		}
		trim(t, read)
		kept[i] = read
	}
	after := heap()
	runtime.KeepAlive(kept)
	return int(after-before) / n
}

func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What the controllers go by is still there.
func TestCachedHoldsWhatIsUsed(t *testing.T) {
	p := blueprinttest.LargestPool("nomad-clients")
	around(&p.ObjectMeta)
	p.Labels[v1alpha1.PoolLabel], p.Annotations[v1alpha1.RetryJoinsAnnotation] = "largest", "now"
	want := p.DeepCopy()
	trim(t, p)
	if len(p.Annotations) != 1 || p.Annotations[v1alpha1.RetryJoinsAnnotation] != "now" || len(p.Labels) != 1 ||
		p.Labels[v1alpha1.PoolLabel] != "largest" || len(p.ManagedFields) != 2 {
		t.Errorf("left of the metadata: %v, %v, %d managedFields", p.Annotations, p.Labels, len(p.ManagedFields))
	}
	was, is := asJSON(t, want.Spec), asJSON(t, p.Spec)
	if was != is {
		t.Errorf("the spec was %d bytes, and is %d", len(was), len(is))
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
