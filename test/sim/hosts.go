package sim

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// hosts are those of the Harvester cluster.
var hosts = []string{"host-1", "host-2", "host-3"}

const maintained = "harvesterhci.io/maintain-status"

// host chooses where an instance runs.
func (k *kubevirt) host() string {
	s := k.w.chance.of("hosts")
	start := s.IntN(len(hosts))
	for n := range hosts {
		if h := hosts[(start+n)%len(hosts)]; k.w.maintenance(h).IsZero() {
			return h
		}
	}
	return hosts[start]
}

// maintenance is since when a host is in maintenance; zero: it isn't.
func (w *Environment) maintenance(host string) time.Time { return w.harvester.maintained[host] }

// on are the instances that run on a host.
func (k *kubevirt) on(host string) []*kubevirtv1.VirtualMachineInstance {
	var out []*kubevirtv1.VirtualMachineInstance
	for _, o := range k.w.store.all(kindInstance) {
		if vmi := o.(*kubevirtv1.VirtualMachineInstance); vmi.Status.NodeName == host {
			out = append(out, vmi)
		}
	}
	return out
}

// guestIn is what runs in an instance; nil: nothing.
func (k *kubevirt) guestIn(vmi *kubevirtv1.VirtualMachineInstance) *guest {
	ref := metav1.GetControllerOf(vmi)
	if ref == nil {
		return nil
	}
	return k.guests[ref.UID]
}

// maintainHost frees a host: KubeVirt migrates its instances, or asks for those to be moved that the controllers are to
// move. One of them may not take it well.
func maintainHost(w *Environment, s *stream) {
	host := pick(s, hosts...)
	if !w.maintenance(host).IsZero() {
		return
	}
	w.note("operator", "", "puts %s into maintenance", host)
	w.annotateHost(host, "running")
	w.harvester.maintained[host] = w.now
	for n, vmi := range w.kubevirt.on(host) {
		if g := w.kubevirt.guestIn(vmi); g != nil && n == 0 && s.once(2) {
			g.restart(pick(s, 3*time.Second, 5*time.Minute))
			continue // it can't be migrated
		}
		w.after(s.rarely(2, 20*time.Second, 6*time.Minute), func() {
			if w.faulty {
				w.kubevirt.evict(vmi, host)
			}
		})
	}
	w.after(s.between(2*time.Minute, 9*time.Minute), func() { w.endMaintenance(host) })
}

func (w *Environment) endMaintenance(host string) {
	if !w.maintenance(host).IsZero() {
		w.note("operator", "", "ends the maintenance of %s", host)
		delete(w.harvester.maintained, host)
		w.annotateHost(host, "")
	}
}

func (w *Environment) annotateHost(host, status string) {
	if h, ok := w.store.get(id{kind: "Node", name: host}).(*corev1.Node); ok {
		change(w.store, h, func(h *corev1.Node) {
			h.Annotations = map[string]string{maintained: status}
			if status == "" {
				h.Annotations = nil
			}
		})
	}
}

// evict migrates an instance, or says that it is to be moved.
func (k *kubevirt) evict(vmi *kubevirtv1.VirtualMachineInstance, from string) {
	e := vmi.Spec.EvictionStrategy
	external := e != nil && *e == kubevirtv1.EvictionStrategyExternal
	change(k.w.store, vmi, func(i *kubevirtv1.VirtualMachineInstance) {
		switch {
		case i.Status.NodeName != from:
		case external:
			i.Status.EvacuationNodeName = from
		default:
			i.Status.NodeName = k.host()
		}
	})
}

// loseHost is the end of everything that runs on a host, at once and without a word. It all comes up again later.
func loseHost(w *Environment, s *stream) {
	host, away := pick(s, hosts...), pick(s, 20*time.Second, time.Minute, 4*time.Minute)
	w.note("", "", "%s is lost for %s", host, away)
	for _, vmi := range w.kubevirt.on(host) {
		if g := w.kubevirt.guestIn(vmi); g != nil {
			g.restart(away + s.between(0, 20*time.Second))
		}
	}
}

// upgradeHarvester runs an upgrade, during which guests come and go.
func upgradeHarvester(w *Environment, s *stream) {
	if !w.harvester.upgrading.IsZero() {
		return
	}
	w.note("operator", "", "upgrades Harvester")
	u := &unstructured.Unstructured{Object: map[string]any{
		"status": map[string]any{"conditions": []any{map[string]any{"type": "Completed", "status": "Unknown"}}},
	}}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: "harvesterhci.io", Version: "v1beta1", Kind: "Upgrade"})
	u.SetNamespace("harvester-system")
	u.SetName("upgrade")
	u.SetLabels(map[string]string{"harvesterhci.io/latestUpgrade": "true"})
	_ = w.store.remove(idOf(u), "") // an earlier one
	_ = w.store.create(u)
	w.harvester.upgrading = w.now
	for _, host := range hosts {
		for _, vmi := range w.kubevirt.on(host) {
			if g := w.kubevirt.guestIn(vmi); g != nil && s.once(3) {
				w.after(s.between(0, time.Minute), func() {
					if w.faulty {
						g.restart(pick(s, 40*time.Second, 3*time.Minute))
					}
				})
			}
		}
	}
	w.after(s.between(time.Minute, 6*time.Minute), w.endUpgrade)
}

func (w *Environment) endUpgrade() {
	if w.harvester.upgrading.IsZero() {
		return
	}
	w.note("operator", "", "the upgrade of Harvester is complete")
	w.harvester.upgradedFrom, w.harvester.upgraded, w.harvester.upgrading = w.harvester.upgrading, w.now, time.Time{}
	if u, ok := w.store.get(id{"Upgrade", "harvester-system", "upgrade"}).(*unstructured.Unstructured); ok {
		change(w.store, u, func(u *unstructured.Unstructured) {
			u.Object["status"] = map[string]any{"conditions": []any{map[string]any{"type": "Completed", "status": "True"}}}
		})
	}
}

// patient checks that nobody is replaced for not working while something else is the likely cause, and was before the
// reconcile began.
func (c *checks) patient(t *task, m *memberTruth, n *v1alpha1.NomadNode) {
	since, host := c.w.harvester.upgrading, c.w.maintenance(n.Status.VM.Host)
	way := t.p.to(m.nomad)
	s := t.sights[way]
	switch {
	case !since.IsZero() && since.Before(t.began):
		c.w.violate("I9", m.name, "replaced while Harvester is being upgraded")
	case !host.IsZero() && host.Before(t.readAt()):
		c.w.violate("I9", m.name, "replaced while its host is in maintenance")
	case c.lacked(t, m, n) != "":
		c.w.violate("I9", m.name, "replaced although %s", c.lacked(t, m, n))
	case c.rushed(t, n, c.w.harvester.upgradedFrom, c.w.harvester.upgraded):
		c.w.violate("I9", m.name, "replaced when Harvester had just been upgraded")
	case c.unseen(t, m, n):
	case !s.known && !way.known():
		c.w.violate("I9", m.name, "replaced while the Nomad that it is in couldn't be asked")
	case !s.recovered.IsZero() && s.viewed.Before(s.recovered.Add(time.Minute)):
		c.w.violate("I9", m.name, "replaced when Nomad had just come back, or changed its leader")
	case n.Spec.Drain.Reason == v1alpha1.DrainJoinTimeout && c.alwaysAsked(n, m, way.lostAt) &&
		c.rushed(t, n, way.lostAt, way.foundAt):
		c.w.violate("I9", m.name, "replaced for not having joined a Nomad that had just come back")
	}
}

// alwaysAsked reports whether the pool has asked the Nomad of its member all the while. That another one is asked, by a
// wrong address, stops no clock.
func (c *checks) alwaysAsked(n *v1alpha1.NomadNode, m *memberTruth, since time.Time) bool {
	always, _ := c.leads(n.Spec.PoolUID, m.nomad, since)
	return always
}

// rushed reports whether a member's time ran out during something that must not count, as its controller must have
// seen, and that didn't get it anew when that was over.
func (c *checks) rushed(t *task, n *v1alpha1.NomadNode, from, over time.Time) bool {
	p := c.poolOf(n)
	if p == nil || over.Before(from) || over.IsZero() {
		return false
	}
	began, timeout := n.Status.UnhealthyTime, p.Spec.Health.UnhealthyTimeout.Duration
	if n.Spec.Drain.Reason == v1alpha1.DrainJoinTimeout {
		began, timeout = n.Status.VM.CreationTime, n.Spec.Health.JoinTimeout.Duration
	}
	const lag = time.Minute // of the controller behind the environment
	if began == nil || !t.p.booted.Before(began.Time) {
		return false
	}
	out := began.Add(timeout)
	if from.Before(out) && out.Add(lag).Before(over) && over.Add(timeout-time.Second).After(c.w.now) {
		return true
	}
	stood := earliest(over, c.w.now).Sub(latest(from, began.Time)) // for how long the time stood still
	return stood > lag && c.w.now.Sub(began.Time)-stood < timeout-lag
}

func earliest(times ...time.Time) time.Time { return slices.MinFunc(times, time.Time.Compare) }
