package controllers

import (
	"encoding/json"
	"fmt"
	"reflect"
	"runtime"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// mostCachedOfMember is how many bytes of a member, its VM and its instance the cache may hold beside what the members
// of its pool have in common: with 5,000 members some 32 MiB. The three structs alone are 3.3 KiB.
const mostCachedOfMember = 6500

// likeMembers are the documents of the i-th member of the largest pool, of its VM and of its instance.
func likeMembers(t *testing.T, i int) map[string]client.Object {
	t.Helper()
	pool := blueprinttest.LargestPool("nomad-clients")
	name, id := fmt.Sprintf("largest-%d", i), fmt.Sprintf("00000000-0000-4000-8000-%012d", i)
	m := metav1.ObjectMeta{Namespace: pool.Namespace, Name: name, UID: types.UID("uid-" + id),
		Labels:          map[string]string{v1alpha1.PoolLabel: pool.Name, v1alpha1.RevisionLabel: "v1"},
		Annotations:     map[string]string{v1alpha1.NodeIDAnnotation: id, v1alpha1.MemberAnnotation: name},
		Finalizers:      []string{v1alpha1.NodeFinalizer},
		OwnerReferences: []metav1.OwnerReference{{APIVersion: "v1", Kind: "NomadNodePool", Name: pool.Name, UID: "u"}}}
	n := &v1alpha1.NomadNode{ObjectMeta: m, Spec: v1alpha1.NomadNodeSpec{PoolName: pool.Name, PoolUID: "u", NodeID: id,
		Revision: "v1", Template: pool.Spec.Template, Nomad: pool.Spec.Nomad}}
	n.Status.VM.UID, n.Status.Nomad.Cluster = "vm-"+id, "https://nomad.example.com:4646"
	vm, vmi := &kubevirtv1.VirtualMachine{ObjectMeta: m}, &kubevirtv1.VirtualMachineInstance{ObjectMeta: m}
	for _, kind := range []string{"Ready", "VMReady", "Joined", "DrainCompleted", "Stalled"} {
		n.Status.Conditions = append(n.Status.Conditions, metav1.Condition{Type: kind, Status: "True", Reason: "AsExpected",
			Message: strings.Repeat("all is well. ", 5)})
		vm.Status.Conditions = append(vm.Status.Conditions,
			kubevirtv1.VirtualMachineCondition{Type: kubevirtv1.VirtualMachineConditionType(kind), Message: "well"})
		vmi.Status.Conditions = append(vmi.Status.Conditions,
			kubevirtv1.VirtualMachineInstanceCondition{Type: kubevirtv1.VirtualMachineInstanceConditionType(kind)})
	}
	vmi.Status.Interfaces = []kubevirtv1.VirtualMachineInstanceNetworkInterface{{Name: "nic-0", IP: "10.0.0.1",
		IPs: []string{"10.0.0.1"}, MAC: "02:00:00:00:00:01"}}
	return map[string]client.Object{"NomadNode": n, "VirtualMachine": vm, "VirtualMachineInstance": vmi}
}

// A pool's members cost little more than what differs between them, however large its template is.
func TestMembersShareWhatIsTheSame(t *testing.T) {
	fresh := map[string]func() client.Object{
		"NomadNode":              func() client.Object { return &v1alpha1.NomadNode{} },
		"VirtualMachine":         func() client.Object { return &kubevirtv1.VirtualMachine{} },
		"VirtualMachineInstance": func() client.Object { return &kubevirtv1.VirtualMachineInstance{} },
	}
	const n = 50
	cached, cache := make([]client.Object, 0, 3*n+3), &trimmer{}
	read := func(i int) {
		for kind, o := range likeMembers(t, i) {
			doc, err := json.Marshal(o)
			if err != nil {
				t.Fatal(err)
			}
			is := fresh[kind]()
			if err := json.Unmarshal(doc, is); err != nil {
				t.Fatal(err)
			}
			if _, err := cache.trim(is); err != nil {
				t.Fatal(err)
			}
			cached = append(cached, is)
		}
	}
	read(0)
	before := heap()
	for i := range n {
		read(i + 1)
	}
	bytes := int(heap()-before) / n
	runtime.KeepAlive(cached)
	t.Logf("%d bytes are cached of a member", bytes)
	if bytes > mostCachedOfMember || bytes < 3000 {
		t.Errorf("%d bytes are cached of a member, and at most %d should be", bytes, mostCachedOfMember)
	}
}

// What is shared is equal to what was there, whoever was there before.
func TestSharingChangesNothing(t *testing.T) {
	cache := &trimmer{}
	for seed := range int64(200) {
		n, other := &v1alpha1.NomadNode{}, &v1alpha1.NomadNode{}
		filler(seed).Fill(n)
		filler(seed + 1000).Fill(other)
		n.Spec.PoolUID, n.Spec.Revision = fmt.Sprint("pool ", seed%3), "v1"
		other.Spec.PoolUID, other.Spec.Revision = n.Spec.PoolUID, "v1"
		if seed%2 == 0 { // the same but for one part
			health := other.Spec.Health
			other.Spec = *n.Spec.DeepCopy()
			other.Spec.Health = health
		}
		trim(t, n)
		trim(t, other)
		want := []*v1alpha1.NomadNode{n.DeepCopy(), other.DeepCopy()}
		for _, o := range []*v1alpha1.NomadNode{n, other, n} {
			if _, err := cache.trim(o); err != nil {
				t.Fatal(err)
			}
		}
		if got := []*v1alpha1.NomadNode{n, other}; !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d:\n%+v\n%+v", seed, got, want)
		}
	}
}

// Members of which nothing is cached any more are not kept for others to share, and there may be any number of texts.
func TestSharedIsBounded(t *testing.T) {
	cache := &trimmer{}
	before := heap()
	for i := range 300 {
		n := &v1alpha1.NomadNode{Spec: v1alpha1.NomadNodeSpec{PoolUID: fmt.Sprint("pool ", i)}}
		n.Spec.Template.VirtualMachine = blueprinttest.Overlay(`{"x":"` + strings.Repeat("y", 50<<10) + `"}`)
		trim(t, n)
		if _, err := cache.trim(n); err != nil {
			t.Fatal(err)
		}
	}
	if kept := heap() - before; kept > 1<<20 {
		t.Errorf("%d bytes are kept of members that are gone", kept)
	}
	for i := range 2 * maxSharedTexts {
		text := fmt.Sprint("text ", i)
		cache.shared.textsOf(&text)
		cache.shared.labelsOf(map[string]string{v1alpha1.PoolLabel: text})
	}
	if texts, labels := len(cache.shared.texts), len(cache.shared.labels); texts > maxSharedTexts ||
		labels > maxSharedPools {
		t.Errorf("%d texts and %d labels are remembered", texts, labels)
	}
	long := strings.Repeat("x", maxSharedText+1)
	if cache.shared.textsOf(&long); cache.shared.texts[long] != "" {
		t.Error("a long text is remembered")
	}
}
