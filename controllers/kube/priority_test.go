package kube

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// News of VMs that stay comes after what others wait for, and what a start lists comes last.
func TestSameNameWakesByUrgency(t *testing.T) {
	vm := func(deleted bool) client.Object {
		vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}
		if deleted {
			vm.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
		}
		return vm
	}
	leavesHost := &kubevirtv1.VirtualMachineInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p-1"}}
	leavesHost.Status.EvacuationNodeName = "host-1"
	for name, tc := range map[string]struct {
		send func(handler.EventHandler, Queue)
		want int
	}{
		"listed at a start": {func(h handler.EventHandler, q Queue) {
			h.Create(t.Context(), event.CreateEvent{Object: vm(false), IsInInitialList: true}, q)
		}, handler.LowPriority},
		"listed at a start, being deleted": {func(h handler.EventHandler, q Queue) {
			h.Create(t.Context(), event.CreateEvent{Object: vm(true), IsInInitialList: true}, q)
		}, Urgent},
		"to leave its host": {func(h handler.EventHandler, q Queue) {
			h.Update(t.Context(), event.UpdateEvent{ObjectOld: leavesHost, ObjectNew: leavesHost}, q)
		}, Urgent},
		"made": {func(h handler.EventHandler, q Queue) { h.Create(t.Context(), event.CreateEvent{Object: vm(false)}, q) },
			Routine},
		"changed": {func(h handler.EventHandler, q Queue) {
			h.Update(t.Context(), event.UpdateEvent{ObjectOld: vm(false), ObjectNew: vm(false)}, q)
		}, Routine},
		"being deleted": {func(h handler.EventHandler, q Queue) {
			h.Update(t.Context(), event.UpdateEvent{ObjectOld: vm(false), ObjectNew: vm(true)}, q)
		}, Urgent},
		"gone": {func(h handler.EventHandler, q Queue) { h.Delete(t.Context(), event.DeleteEvent{Object: vm(false)}, q) },
			Urgent},
	} {
		q := priorityqueue.New[ctrl.Request]("test")
		tc.send(SameName(), q)
		r, priority, _ := q.GetWithPriority()
		if want := (types.NamespacedName{Namespace: "ns", Name: "p-1"}); r.NamespacedName != want || priority != tc.want {
			t.Errorf("%s: %s with priority %d, not %d", name, r, priority, tc.want)
		}
		q.ShutDown()
	}
}
