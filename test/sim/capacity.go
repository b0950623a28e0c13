package sim

import (
	"regexp"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// noCapacity is the name of what leaves new VMs without capacity in some schedules, for long: a quota that is used up,
// or full hosts. It isn't one of the acts, so that the others stay what they are in each schedule.
const noCapacity = "long without room"

// lackCapacity takes the capacity away.
func (w *Environment) lackCapacity() {
	s := w.chance.of(noCapacity)
	if w.Without[noCapacity] || !s.once(4) {
		return
	}
	w.store.watchers = append(w.store.watchers, func(was, is client.Object) {
		if vm, ok := is.(*kubevirtv1.VirtualMachine); ok && was == nil && w.aboveQuota() {
			w.after(s.between(10*time.Millisecond, time.Second), func() { w.harvester.haltAboveQuota(vm) })
		}
	})
	quota, lasts := s.once(2), s.rarely(2, 4*time.Minute, 55*time.Minute)
	w.after(s.between(0, w.Span), func() {
		if !w.faulty {
			return
		}
		w.note("Harvester", "", "has no capacity for %s: %s", lasts.Truncate(time.Second),
			map[bool]string{true: "the quota is used up", false: "the hosts are full"}[quota])
		if quota {
			w.harvester.quotaFull = w.now.Add(lasts)
		} else {
			w.kubevirt.full = w.now.Add(lasts)
		}
		toAdd(w, 1)
	})
}

func (w *Environment) aboveQuota() bool { return w.now.Before(w.harvester.quotaFull) }

// haltAboveQuota is what Harvester does with a new VM for which a quota has no capacity.
func (h *harvester) haltAboveQuota(vm *kubevirtv1.VirtualMachine) {
	if h.w.kubevirt.guests[vm.UID] != nil {
		return
	}
	change(h.w.store, vm, func(vm *kubevirtv1.VirtualMachine) {
		off := kubevirtv1.RunStrategyHalted
		vm.Spec.RunStrategy = &off
		metav1.SetMetaDataAnnotation(&vm.ObjectMeta, nodestate.AboveQuotaAnnotation, "cpu of the namespace's quota")
	})
	h.w.note("Harvester", vm.Name, "halts the VM for the quota")
}

// starts reports whether a patch of a VM starts it.
func starts(c call) bool {
	return c.id.kind == kindVM && c.verb == "patch" && strings.Contains(string(c.patch), `"runStrategy":"Always"`)
}

// ran is what becomes of the signs of a lack of capacity when a VM runs.
func (k *kubevirt) ran(vm *kubevirtv1.VirtualMachine) {
	change(k.w.store, vm, func(vm *kubevirtv1.VirtualMachine) {
		delete(vm.Annotations, nodestate.AboveQuotaAnnotation)
	})
}

// unschedulable is what KubeVirt copies of a Pod for which no host has capacity.
func (k *kubevirt) unschedulable(vmi *kubevirtv1.VirtualMachineInstance) {
	change(k.w.store, vmi, func(i *kubevirtv1.VirtualMachineInstance) {
		if len(i.Status.Conditions) == 0 {
			i.Status.Conditions = []kubevirtv1.VirtualMachineInstanceCondition{{
				Type: kubevirtv1.VirtualMachineInstanceConditionType(corev1.PodScheduled), Status: corev1.ConditionFalse,
				Reason: corev1.PodReasonUnschedulable, Message: "0/3 nodes are available.",
				LastTransitionTime: metav1.NewTime(k.w.now),
			}}
		}
	})
}

var introduction = regexp.MustCompile(`token-([0-9]+)`)

// refusesToken reports whether Nomad refuses the introduction token of a guest that boots, because it has expired.
// Nobody may be left with one that could have been renewed.
func (g *guest) refusesToken() bool {
	vm, _ := g.w.store.get(id{kindVM, namespace, g.name}).(*kubevirtv1.VirtualMachine)
	if vm == nil || vm.UID != g.vm {
		return false
	}
	secret, _ := g.w.store.get(id{kindSecret, vm.Namespace, secretOf(vm)}).(*corev1.Secret)
	if secret == nil {
		return false
	}
	found := introduction.FindSubmatch(secret.Data[cloudinit.UserDataKey])
	if found == nil {
		return false
	}
	seconds, err := strconv.ParseInt(string(found[1]), 10, 64)
	if err != nil || g.w.now.Before(time.Unix(seconds, 0)) {
		return false
	}
	g.w.note("guest", g.name, "its introduction token has expired")
	g.w.checks.bootsInVain(g.w.checks.members[g.name])
	return true
}
