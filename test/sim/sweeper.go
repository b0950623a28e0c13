package sim

import (
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// sweeping has the process's sweeper look at every interval.
func (p *process) sweeping(s *gc.Collector) {
	p.w.after(s.Interval, func() {
		if p.dead {
			return
		}
		t := &task{p: p, what: "sweep", request: ctrl.Request{NamespacedName: types.NamespacedName{Name: "sweep"}}}
		p.tasks = append(p.tasks, t)
		p.w.begin(t, func() { _ = s.Collect(quiet) }, func() { // the next look tries again
			p.forget(t)
			p.sweeping(s)
		})
	})
}

// removeByForce takes the finalizer off a record and deletes it, whatever there is of the member. One that its pool
// has not counted yet would have its name used again.
func removeByForce(w *World, s *stream) {
	n := w.anyMember(s)
	p := w.pool()
	if n == nil ||
		p != nil &&
			pool.NextOrdinal(p.Name, string(p.UID), p.Status.NextOrdinal,
				func(name string) bool { return name == n.Name }) != p.Status.NextOrdinal {
		return
	}
	w.note("operator", n.Name, "takes the finalizer off the NomadNode, and deletes it")
	change(w.store, n, func(n *v1alpha1.NomadNode) { n.Finalizers = nil })
	_ = w.store.remove(idOf(n), n.UID) // gone already is as good
}

// sweeps checks what the sweeper removes: only what is left of members that have been without a record for the grace,
// and have no machine.
func (c *checks) sweeps(t *task, m *memberTruth, what string) {
	switch {
	case t.what != "sweep":
	case m == nil:
		c.w.violate("I6", what, "swept, but it is no member's")
	case m.gone.IsZero() || c.w.now.Sub(m.gone) < c.w.GCGracePeriod:
		c.w.violate("I6", m.name, "%s was swept, but it hasn't been without a record for the grace", what)
	case c.w.store.get(id{kindVM, namespace, m.name}) != nil && !c.w.store.get(id{kindVM, namespace, m.name}).GetCreationTimestamp().After(t.began):
		c.w.violate("I6", m.name, "%s was swept, but a VM of the member's name is there", what)
	}
}

// unrecorded is true for a VM of the controllers' whose record is gone, and that people know of, because they were
// told or because somebody took off the marks by which the controllers know it.
func (c *checks) unrecorded(vm client.Object) bool {
	m := c.members[vm.GetName()]
	if m == nil || m.gone.IsZero() || c.ours[vm.GetUID()] == "" {
		return false
	}
	p := c.w.pool()
	return m.told || !watched(vm) || p == nil || string(p.UID) != m.poolUID
}
