package controllers

import (
	"math/rand"
	"reflect"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/randfill"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// filler fills each field with something, other for each seed.
func filler(seed int64) *randfill.Filler {
	return randfill.NewWithSeed(seed).NilChance(0.1).NumElements(1, 2).MaxDepth(12).Funcs(
		func(q *resource.Quantity, c randfill.Continue) {
			*q = *resource.NewQuantity(c.Int63n(1e6), resource.BinarySI)
		},
		func(raw *runtime.RawExtension, _ randfill.Continue) { raw.Raw = []byte(`{}`) },
		func(raw *metav1.FieldsV1, _ randfill.Continue) { raw.SetRawString(`{}`) },
		func(s *kubevirtv1.VirtualMachineRunStrategy, c randfill.Continue) {
			*s = []kubevirtv1.VirtualMachineRunStrategy{kubevirtv1.RunStrategyHalted, kubevirtv1.RunStrategyAlways}[c.Intn(2)]
		},
		func(s *kubevirtv1.EvictionStrategy, c randfill.Continue) {
			*s = []kubevirtv1.EvictionStrategy{kubevirtv1.EvictionStrategyExternal,
				kubevirtv1.EvictionStrategyLiveMigrate}[c.Intn(2)]
		},
		func(p *kubevirtv1.VirtualMachineInstancePhase, c randfill.Continue) {
			*p = []kubevirtv1.VirtualMachineInstancePhase{kubevirtv1.Scheduling, kubevirtv1.Running,
				kubevirtv1.Succeeded}[c.Intn(3)]
		},
		func(vc *kubevirtv1.VirtualMachineCondition, _ randfill.Continue) {
			*vc = kubevirtv1.VirtualMachineCondition{Type: kubevirtv1.VirtualMachineFailure, Status: corev1.ConditionTrue,
				Message: "failed"}
		},
		func(vc *kubevirtv1.VirtualMachineInstanceCondition, _ randfill.Continue) {
			*vc = kubevirtv1.VirtualMachineInstanceCondition{Type: "PodScheduled", Status: corev1.ConditionFalse,
				Reason: corev1.PodReasonUnschedulable, Message: "no room", LastTransitionTime: metav1.Now()}
		},
	)
}

// What is decided by is the same of what the cache keeps.
func TestCacheKeepsWhatIsDecidedBy(t *testing.T) {
	for seed := range int64(200) {
		vm, vmi, n := &kubevirtv1.VirtualMachine{}, &kubevirtv1.VirtualMachineInstance{}, &v1alpha1.NomadNode{}
		f, random := filler(seed), rand.New(rand.NewSource(seed))
		f.Fill(vm)
		f.Fill(vmi)
		vm.Annotations = map[string]string{"example.com/other": "x"}
		for _, key := range []string{v1alpha1.NodeIDAnnotation, v1alpha1.PoolUIDAnnotation, v1alpha1.MemberAnnotation,
			v1alpha1.AllowDeleteAnnotation, nodestate.AboveQuotaAnnotation, nodestate.RemovedClaimsAnnotation} {
			if random.Intn(4) > 0 {
				vm.Annotations[key] = "some " + key
			}
		}
		if seed%2 == 0 {
			n.Status.VM.UID = string(vm.UID)
		}
		wholeVM, wholeInstance := vm.DeepCopy(), vmi.DeepCopy()
		trim(t, vm)
		trim(t, vmi)
		if got, want := nodestate.VMOf(n, vm), nodestate.VMOf(n, wholeVM); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: VM\n%+v\n%+v", seed, got, want)
		}
		if got, want := nodestate.InstanceOf(vmi), nodestate.InstanceOf(wholeInstance); !reflect.DeepEqual(got, want) {
			t.Fatalf("seed %d: instance\n%+v\n%+v", seed, got, want)
		}
		if metav1.IsControlledBy(vmi, vm) != metav1.IsControlledBy(wholeInstance, wholeVM) ||
			node.AddressOf(vmi.Status.Interfaces) != node.AddressOf(wholeInstance.Status.Interfaces) {
			t.Fatalf("seed %d: the instance became %+v", seed, vmi)
		}
		if vm.Spec.Template != nil || len(vmi.Spec.Volumes)+len(vm.ManagedFields)+len(vmi.ManagedFields) > 0 {
			t.Fatalf("seed %d: more is kept than is read", seed)
		}
	}
}

func trim(t *testing.T, o client.Object) {
	t.Helper()
	if got, err := new(trimmer).trim(o); err != nil || got != o {
		t.Fatalf("%v, %v", got, err)
	}
}

// A patch that is made of a VM of the cache says nothing of what the cache lacks.
func TestPatchOfACachedVMChangesOneKey(t *testing.T) {
	vm := &kubevirtv1.VirtualMachine{}
	filler(1).Fill(vm)
	trim(t, vm)
	after, halted := vm.DeepCopy(), kubevirtv1.RunStrategyHalted
	vm.Spec.RunStrategy = nil
	after.Spec.RunStrategy = &halted
	data, err := client.MergeFrom(vm).Data(after)
	if want := `{"spec":{"runStrategy":"Halted"}}`; err != nil || string(data) != want {
		t.Errorf("%s, %v", data, err)
	}
}

// The cache hands over what it missed the deletion of in a wrapper.
func TestTrimLeavesOthersAlone(t *testing.T) {
	if got, err := new(trimmer).trim("gone"); got != "gone" || err != nil {
		t.Errorf("%v, %v", got, err)
	}
}
