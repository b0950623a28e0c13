package sim

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const (
	claimTemplates  = "harvesterhci.io/volumeClaimTemplates"
	removedClaims   = "harvesterhci.io/removedPersistentVolumeClaims"
	claimProtection = "kubernetes.io/pvc-protection"
)

// harvester makes the claims of VMs and removes those that a removed VM names. Its admission refuses things at times.
type harvester struct {
	w *Environment
	// refusing is until when VMs are refused, and frozen until when no change of a VM is accepted.
	refusing, frozen time.Time
	// maintained is since when hosts are in maintenance, and upgrading since when Harvester is being upgraded.
	maintained map[string]time.Time
	upgrading  time.Time
	// upgradedFrom and upgraded are when the last upgrade that is over began and ended.
	upgradedFrom, upgraded time.Time
	// quotaFull is until when the namespace's quota has no capacity for another VM.
	quotaFull time.Time
}

func newHarvester(w *Environment) *harvester {
	h := &harvester{w: w, maintained: map[string]time.Time{}}
	w.store.watchers = append(w.store.watchers, func(was, is client.Object) {
		if vm, ok := is.(*kubevirtv1.VirtualMachine); ok && was == nil {
			w.after(w.chance.of("harvester").between(50*time.Millisecond, 3*time.Second), func() { h.claim(vm) })
		}
		if c, ok := is.(*corev1.PersistentVolumeClaim); ok && was != nil && was.GetDeletionTimestamp() == nil &&
			c.DeletionTimestamp != nil {
			w.after(w.chance.of("harvester").rarely(w.Faults.Blocks, 8*time.Second, 12*time.Minute), func() { h.release(c) })
		}
	})
	return h
}

// claimsOf are the claims that a VM's annotation asks for.
func claimsOf(vm *kubevirtv1.VirtualMachine) []string {
	var out []string
	for _, t := range templatesOf(vm) {
		out = append(out, t.Metadata.Name)
	}
	return out
}

type claimTemplate struct {
	Metadata struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
}

func templatesOf(vm *kubevirtv1.VirtualMachine) []claimTemplate {
	var out []claimTemplate
	if json.Unmarshal([]byte(vm.Annotations[claimTemplates]), &out) != nil {
		return nil
	}
	return out
}

// claim makes the claims of a VM.
func (h *harvester) claim(vm *kubevirtv1.VirtualMachine) {
	now, _ := h.w.store.get(idOf(vm)).(*kubevirtv1.VirtualMachine)
	if now == nil || now.UID != vm.UID || now.DeletionTimestamp != nil {
		return
	}
	for _, t := range templatesOf(now) {
		claim := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{
			Namespace: vm.Namespace, Name: t.Metadata.Name, Finalizers: []string{claimProtection}, Labels: t.Metadata.Labels,
			Annotations: t.Metadata.Annotations,
		}}
		_ = h.w.store.create(claim) // one that exists is adopted
	}
}

// ready reports whether a VM has what it needs to start.
func (h *harvester) ready(vm *kubevirtv1.VirtualMachine) bool {
	for _, name := range claimsOf(vm) {
		if h.w.store.get(id{kindClaim, vm.Namespace, name}) == nil {
			return false
		}
	}
	return h.w.kubevirt.bootable(vm)
}

// removed cleans up after a VM whose guest is gone, and takes Harvester's finalizer off. It doesn't always get to all
// claims.
func (h *harvester) removed(seen *kubevirtv1.VirtualMachine) {
	s := h.w.chance.of("harvester")
	h.w.after(s.rarely(h.w.Faults.Blocks, 3*time.Second, 12*time.Minute), func() {
		vm, _ := h.w.store.get(idOf(seen)).(*kubevirtv1.VirtualMachine)
		switch {
		case vm == nil || vm.UID != seen.UID:
			return
		case h.w.now.Before(h.frozen): // nobody can take finalizers off
			h.removed(seen)
			return
		}
		for name := range strings.SplitSeq(vm.Annotations[removedClaims], ",") {
			if name != "" && !s.once(h.w.Faults.ClaimsLeft) {
				_ = h.w.store.remove(id{kindClaim, vm.Namespace, name}, "") // gone already is as good
			}
		}
		change(h.w.store, vm, func(vm *kubevirtv1.VirtualMachine) { controllerutil.RemoveFinalizer(vm, harvesterFinalizer) })
		h.w.note("Harvester", vm.Name, "the VM is gone")
	})
}

// users are the VMs that may use a claim. In a fleet that is the one that it was made for.
func (h *harvester) users(c *corev1.PersistentVolumeClaim) []client.Object {
	if h.w.fleet == nil {
		return h.w.store.all(kindVM)
	}
	if vm := h.w.store.get(id{kindVM, c.Namespace, c.Labels[v1alpha1.NodeLabel]}); vm != nil {
		return []client.Object{vm}
	}
	return nil
}

// release lets a claim go once no VM uses it.
func (h *harvester) release(c *corev1.PersistentVolumeClaim) {
	for _, o := range h.users(c) {
		if slices.Contains(claimsOf(o.(*kubevirtv1.VirtualMachine)), c.Name) && h.w.kubevirt.guests[o.GetUID()] != nil {
			h.w.after(2*time.Second, func() { h.release(c) })
			return
		}
	}
	change(h.w.store, c, func(c *corev1.PersistentVolumeClaim) { c.Finalizers = nil })
}

var (
	errAway    = errors.New("simulated")
	errRefused = errors.New(`admission webhook "validator.harvesterhci.io" denied the request: simulated`)
)

// refuses is Harvester's admission.
func (h *harvester) refuses(s *stream, c call) error {
	switch {
	case c.id.kind == kindVM && c.verb == "create" && h.w.now.Before(h.refusing):
		return apierrors.NewForbidden(resourceOf(kindVM), c.id.name, errRefused)
	case c.id.kind == kindVM && c.verb == "patch" && h.w.now.Before(h.frozen):
		return apierrors.NewBadRequest(errRefused.Error())
	case starts(c) && h.w.aboveQuota():
		return apierrors.NewBadRequest(errRefused.Error())
	case c.id.kind == kindClaim && c.verb == "delete" && s.once(h.w.Faults.Errors):
		return apierrors.NewInternalError(errAway)
	}
	return nil
}
