package sim

import (
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// collectGarbage runs the process's collector at every interval.
func (p *process) collectGarbage(s *gc.Collector) {
	p.w.after(s.Interval, func() {
		if p.dead {
			return
		}
		t := &task{p: p, what: "gc", request: ctrl.Request{NamespacedName: types.NamespacedName{Name: "gc"}}}
		p.tasks = append(p.tasks, t)
		p.w.begin(t, func() { _ = s.Collect(quiet) }, func() { // the next run tries again
			p.forget(t)
			p.collectGarbage(s)
		})
	})
}

// removeByForce takes the finalizer off a NomadNode and deletes it, whatever there is of the member. One that its pool
// has not counted yet would have its name used again, and so would one of which a second leader doesn't know yet.
func removeByForce(w *Environment, s *stream) {
	n := w.anyMember(s)
	p := w.pool()
	if n == nil || w.now.Sub(n.CreationTimestamp.Time) < mostLag ||
		p != nil &&
			pool.NextOrdinal(p.Name, string(p.UID), p.Status.NextOrdinal,
				func(name string) bool { return name == n.Name }) != p.Status.NextOrdinal {
		return
	}
	w.note("operator", n.Name, "takes the finalizer off the NomadNode, and deletes it")
	change(w.store, n, func(n *v1alpha1.NomadNode) { n.Finalizers = nil })
	_ = w.store.remove(idOf(n), n.UID) // gone already is as good
}

// collected checks what the collector removes: only what is left of members that have been without a NomadNode for the
// grace period, and have no VM.
func (c *checks) collected(t *task, m *memberTruth, what string) {
	switch {
	case t.what != "gc":
	case m == nil:
		c.w.violate("I6", what, "collected, but it is no member's")
	case m.gone.IsZero() || c.w.now.Sub(m.gone) < c.w.GCGracePeriod:
		c.w.violate("I6", m.name, "%s was collected, but it hasn't been without a NomadNode for the grace period", what)
	case c.w.store.get(id{kindVM, namespace, m.name}) != nil &&
		!c.w.store.get(id{kindVM, namespace, m.name}).GetCreationTimestamp().After(t.began):
		c.w.violate("I6", m.name, "%s was collected, but a VM of the member's name is there", what)
	}
}

// withoutNomadNode reports whether the NomadNode of one of the controllers' VMs is gone, and people know of it, because
// an Event reported it or because somebody took off the marks by which the controllers know it.
func (c *checks) withoutNomadNode(vm client.Object) bool {
	m := c.members[vm.GetName()]
	if m == nil || m.gone.IsZero() || c.owned[vm.GetUID()] == "" {
		return false
	}
	p := c.w.pool()
	return m.reported || !watched(vm) || p == nil || string(p.UID) != m.poolUID
}
