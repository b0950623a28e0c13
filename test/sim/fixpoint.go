package sim

import (
	"fmt"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// unrest says why the environment isn't as it was asked for, and about whom; empty: it is.
func (w *Environment) unrest() (about, why string) {
	p := w.pool()
	members := map[string]bool{}
	for _, o := range w.store.all(kindNode) {
		n := o.(*v1alpha1.NomadNode)
		if why := w.unrestOf(p, n); why != "" {
			return n.Name, "the member " + why
		}
		members[n.Name] = true
	}
	if p != nil && len(members) != int(p.DesiredReplicas()) {
		return "", fmt.Sprintf("%d members, %d asked for", len(members), p.DesiredReplicas())
	}
	return w.leaks(members)
}

func (w *Environment) unrestOf(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) string {
	m := w.checks.members[n.Name]
	switch {
	case p == nil || n.Spec.PoolUID != string(p.UID):
		return "is of a pool that is gone"
	case leaving(n) || n.Spec.Drain != nil:
		return "leaves"
	case p.Spec.Rollout.Type == v1alpha1.RollingUpdate && n.Spec.Revision != revisionOf(p):
		return "is outdated"
	case m == nil || w.checks.vmOf(m) == nil:
		return "has no VM"
	case m.nomad != nil && !m.nomad.isAsked(n):
		return "is asked for in another Nomad than it is in"
	}
	if vmi := w.checks.instanceOf(m); vmi == nil || vmi.Status.Phase != kubevirtv1.Running {
		return "doesn't run"
	} else if e := vmi.Spec.EvictionStrategy; vmi.Status.EvacuationNodeName != "" && e != nil &&
		*e == kubevirtv1.EvictionStrategyExternal {
		return "is to be moved from its host"
	}
	return w.unrestInNomad(m)
}

func (w *Environment) unrestInNomad(m *memberTruth) string {
	x, g := w.checks.nodeOf(m), w.checks.guestOf(m)
	switch {
	case g == nil || !g.lives:
		return "is restarting"
	case g.nodeID != m.nodeID: // its own node isn't down yet, perhaps
		return "works under another ID"
	case x == nil || x.status != nomad.NodeReady:
		return "isn't ready in Nomad"
	case x.guest != g || !g.joined:
		return "hasn't registered since its restart"
	case !x.eligible:
		return "is ineligible in Nomad"
	case x.hidden: // the pool replaces it after health.unhealthyTimeout
		return "is hidden by a job"
	}
	return ""
}

// leaks names something that the controllers made and that belongs to no member.
func (w *Environment) leaks(members map[string]bool) (about, what string) {
	for _, o := range w.store.all(kindVM) {
		if name := w.checks.owned[o.GetUID()]; name != "" && !members[name] {
			return name, "its VM is left"
		}
	}
	for _, o := range w.store.all(kindSecret) {
		if w.checks.secrets[o.GetUID()] && !members[o.GetLabels()[v1alpha1.NodeLabel]] {
			return o.GetLabels()[v1alpha1.NodeLabel], "its Secret is left"
		}
	}
	for _, o := range w.store.all(kindClaim) {
		for _, m := range w.checks.members {
			if !members[m.name] && len(m.claims) > 0 && m.claims[0] == o.GetName() {
				return m.name, "its claim is left"
			}
		}
	}
	return w.leakInNomad(members)
}

func (w *Environment) leakInNomad(members map[string]bool) (about, what string) {
	for _, x := range w.nodes() {
		m := w.checks.byNodeID[x.id]
		if o := w.checks.otherIDs[x.id]; o != nil && !members[o.name] && w.purgedByGC(o, x.in) {
			return o.name, "the Nomad node of its guest's other ID is left"
		}
		if m != nil && m.unpurged && x.hidden {
			continue // released by a policy that left it to Nomad's garbage collection, and no collector can find it
		}
		if m == nil || members[m.name] || (m.late || m.unpurged || m.forcedOff()) && !w.purgedByGC(m, x.in) ||
			!x.in.answers() {
			continue
		}
		return m.name, "its Nomad node is left"
	}
	return "", ""
}

// forcedOff reports whether somebody else removed a member's NomadNode.
func (m *memberTruth) forcedOff() bool { return !m.gone.IsZero() && m.released.IsZero() }

// nurse is what an operator does about members that can't get on by themselves: their name is taken, their
// guests didn't join, or a job hides their node.
func (w *Environment) nurse() {
	for _, o := range w.store.all(kindVM) {
		of := w.checks.members[strings.TrimSuffix(o.GetName(), copied)]
		if w.isExternal(o) && of != nil && (of.name == o.GetName() || !of.gone.IsZero()) { // a copy names the member's Secret
			_ = w.store.remove(idOf(o), o.GetUID()) // gone already is as good
		}
	}
	w.removeOrphaned()
	w.free()
	w.show()
	w.uncordon()
	w.moveOthersWork()
	w.findMembers()
	p := w.pool()
	if p == nil {
		return
	}
	w.replaceLost(p)
	if c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolJoinsHealthy); c != nil &&
		c.Reason == v1alpha1.ReasonJoinsFailing {
		w.edit("has mended the cause, and asks for another try", func(p *v1alpha1.NomadNodePool) {
			p.Annotations = map[string]string{v1alpha1.RetryJoinsAnnotation: w.now.Format(time.RFC3339)}
		})
	}
}

// uncordon makes nodes of wanted members eligible that an operator has made ineligible, or has drained, and those that
// a snapshot of Nomad brought back so. Others that the controllers made so they must make eligible themselves.
func (w *Environment) uncordon() {
	for _, x := range w.nodes() {
		if x.owned && !x.eligible && w.wanted(x.id) &&
			(x.cordonedBy == operator || x.drain == nil && !x.in.restored.IsZero()) {
			_ = x.in.setDrain(x.id, nil, operator) // it is there
			_ = x.in.setEligible(x.id, true, operator)
		}
	}
}

// free has members that were deleted removed at their deadline, as the condition of a blocked one says: their policy
// doesn't follow the pool's any more.
func (w *Environment) free() {
	for _, o := range w.store.all(kindNode) {
		if n := o.(*v1alpha1.NomadNode); w.checks.poolOf(n) == nil || n.DeletionTimestamp != nil {
			change(w.store, n, func(n *v1alpha1.NomadNode) { n.Spec.ScaleIn.Drain.OnTimeout = v1alpha1.DrainForce })
		}
	}
}

// removeOrphaned removes what nobody else can: VMs that a controller which no longer led made after the NomadNode had
// gone, or whose NomadNode was removed by force, both of which Events report; and Secrets that nothing leads to any
// more.
func (w *Environment) removeOrphaned() {
	for _, o := range w.store.all(kindVM) {
		if w.checks.orphaned[o.GetUID()] || w.checks.withoutNomadNode(o) {
			w.note("operator", o.GetName(), "deletes the VM that has no NomadNode")
			_ = w.store.remove(idOf(o), o.GetUID()) // gone already is as good
		}
	}
	for _, o := range w.store.all(kindSecret) {
		m := w.checks.members[o.GetLabels()[v1alpha1.NodeLabel]]
		if w.checks.secrets[o.GetUID()] && (w.checks.orphaned[o.GetUID()] || m != nil && !m.gone.IsZero()) && !w.traced(m) {
			_ = w.store.remove(idOf(o), o.GetUID()) // gone already is as good
		}
	}
}

// traced reports whether something of a member leads to its Secret.
func (w *Environment) traced(m *memberTruth) bool {
	if x := w.checks.nodeOf(m); x != nil && w.purgedByGC(m, x.in) {
		return true
	}
	for _, claim := range m.claims {
		if w.store.get(id{kindClaim, namespace, claim}) != nil {
			return true
		}
	}
	return w.store.get(id{kindVM, namespace, m.name}) != nil
}

// purgedByGC reports whether a member's Nomad node isn't left to Nomad's own garbage collection, as one is in a Nomad
// that the pool doesn't lead to any more.
func (w *Environment) purgedByGC(m *memberTruth, in *nomadServer) bool {
	p := w.pool()
	return p != nil && string(p.UID) == m.poolUID && (p.Spec.ScaleIn.Purge == nil || *p.Spec.ScaleIn.Purge) &&
		in.inPools() && in.answers()
}
