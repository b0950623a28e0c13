package kube

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	kubevirtv1 "kubevirt.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// Priorities in a work queue. What others wait for comes before news that is only to be reported, so that a pool that
// grows by hundreds has all its VMs before the API server is asked to write how the first of them do.
const (
	// Urgent is the priority of a member whose VM is to be made, or that leaves. It is controller-runtime's default.
	Urgent = 0
	// Routine is the priority of a member that stays as it is. It is above that of the objects that are listed at a start
	// (handler.LowPriority).
	Routine = -10
)

// Queue is the work queue of a controller.
type Queue = workqueue.TypedRateLimitingInterface[ctrl.Request]

// Enqueue adds a request to a queue, after a while. A queue without priorities takes it as any other.
func Enqueue(q Queue, r ctrl.Request, priority int, after time.Duration) {
	if with, ok := q.(priorityqueue.PriorityQueue[ctrl.Request]); ok {
		with.AddWithOpts(priorityqueue.AddOpts{Priority: &priority, After: after}, r)
		return
	}
	q.AddAfter(r, after)
}

// SameName wakes what has the name of the object, urgently if that is being deleted, or is to leave its host.
func SameName() handler.EventHandler {
	add := func(o client.Object, listed bool, q Queue) {
		priority := Routine
		switch {
		case o.GetDeletionTimestamp() != nil, evacuated(o):
			priority = Urgent
		case listed:
			priority = handler.LowPriority
		}
		Enqueue(q, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(o)}, priority, 0)
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q Queue) { add(e.Object, e.IsInInitialList, q) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q Queue) { add(e.ObjectNew, false, q) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q Queue) {
			Enqueue(q, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(e.Object)}, Urgent, 0)
		},
	}
}

func evacuated(o client.Object) bool {
	vmi, ok := o.(*kubevirtv1.VirtualMachineInstance)
	return ok && vmi.Status.EvacuationNodeName != ""
}
