package sim

import (
	"fmt"
	"regexp"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// Violation is an invariant that didn't hold.
type Violation struct {
	// Invariant is the design's name of it: I1 to I10.
	Invariant string
	// About is the member or pool that it concerns; empty: the environment.
	About string
	// Text says what happened, and At when, since the beginning.
	Text string
	At   time.Duration
}

func (v *Violation) String() string {
	return fmt.Sprintf("%s violated after %s, %s: %s", v.Invariant, v.At.Round(time.Millisecond), v.About, v.Text)
}

// kind is what violations of one cause have in common: the words without names and numbers.
func (v *Violation) kind() string { return v.Invariant + particular.ReplaceAllString(v.Text, "*") }

var particular = regexp.MustCompile(`[a-z]*-[a-z0-9.-]+|[0-9][0-9a-z.]*`)

// checks holds what is true of the environment whatever the controllers believe, and watches over the invariants.
type checks struct {
	w         *Environment
	violation *Violation
	members   map[string]*memberTruth // by name
	byNodeID  map[string]*memberTruth
	otherIDs  map[string]*memberTruth // by the other ID: whose guest has registered under it
	otherIDOf map[types.UID]string    // by VM: the other ID of its guest
	owned     map[types.UID]string    // the VMs that the controllers made, and whose
	orphaned  map[types.UID]bool      // VMs and Secrets that were made for members that another leader had released
	secrets   map[types.UID]bool      // the Secrets that they made
	asked     []asked                 // what was asked of pools, the oldest first
	off       bool                    // nothing is checked but that nothing panics
}

// memberTruth is what the controllers have done about a member.
type memberTruth struct {
	name, nodeID, poolUID string
	nomad                 *nomadServer // in which it is, or will be
	claims                []string
	requests              map[string]time.Time // by ID: when they were written
	protected             time.Time            // since when; zero: not
	vmMade                time.Time            // when its VM was made last
	vmKnown               time.Time            // when its VM was written down; zero: it wasn't
	left                  time.Time            // since when it leaves; zero: it doesn't
	stayed                time.Time            // when it canceled its drain itself, because it wasn't empty any more
	misled                time.Time            // when its NomadNode last named the addresses of other Nomads alone
	stuck                 time.Time            // when its NomadNode last said that it doesn't go away
	drainedAt             time.Time            // when Drained was written last; zero: never
	forced                bool                 // rightly at its deadline
	halted                time.Time            // since when somebody has its VM halted; zero: nobody
	resent                map[string]time.Time // by drain request: when it was written that its drain was resent
	drained               map[string]time.Time // by drain request: when Nomad accepted its drain last
	extended              map[string]time.Time // by drain request: when it was given its time once more
	current               string               // the drain request in force; empty: none
	over                  map[string]time.Time // by ID: when drain requests ceased to stand
	marked                string               // the drain request that is written, even if it was canceled; empty: none
	unmarked              time.Time            // when the last one ceased to be recorded
	seenEligible          time.Time            // as of when its node was seen to be eligible, for the drain request
	deletedByUser         bool                 // its NomadNode, or its pool
	secretTaken           bool                 // somebody else deleted its Secret
	gone                  time.Time            // when its NomadNode went, whoever removed it
	reported              bool                 // people know that its VM is there without a NomadNode
	released              time.Time            // when its NomadNode went; zero: it is there
	unpurged              bool                 // released with purge false
	force                 force                // its drain, if that is forced
	lateSent              map[string]time.Time // by drain request: when it was first sent after its deadline
	late                  bool                 // released although Nomad couldn't be asked
	drainedUnseen         bool                 // called drained while its node was unseen
}

func newChecks(w *Environment) *checks {
	c := &checks{w: w, members: map[string]*memberTruth{}, byNodeID: map[string]*memberTruth{},
		otherIDs: map[string]*memberTruth{}, otherIDOf: map[types.UID]string{},
		owned: map[types.UID]string{}, orphaned: map[types.UID]bool{}, secrets: map[types.UID]bool{}}
	w.store.watchers = append(w.store.watchers, c.watch)
	c.watchForce()
	return c
}

// noChecks watches over nothing.
func noChecks(w *Environment) *checks {
	return &checks{w: w, off: true, members: map[string]*memberTruth{}, byNodeID: map[string]*memberTruth{},
		otherIDs: map[string]*memberTruth{}, otherIDOf: map[types.UID]string{}, owned: map[types.UID]string{}}
}

func (c *checks) failed() bool { return c.violation != nil }

// violate records the first violation, which ends the schedule.
func (w *Environment) violate(invariant, about, format string, args ...any) {
	if w.checks.violation == nil {
		v := &Violation{Invariant: invariant, About: about, Text: fmt.Sprintf(format, args...), At: w.now.Sub(epoch)}
		w.checks.violation = v
		w.note("VIOLATION", about, "%s: %s", invariant, v.Text)
	}
}

// watch keeps the books on what others do as well.
func (c *checks) watch(was, is client.Object) {
	switch is := is.(type) {
	case *v1alpha1.NomadNodePool:
		c.ask(is)
	case nil:
		if was, ok := was.(*v1alpha1.NomadNode); ok && c.members[was.Name] != nil {
			c.members[was.Name].requested(nil, c.w.now)
			c.members[was.Name].gone = c.w.now
		}
	case *v1alpha1.NomadNode:
		if m := c.members[is.Name]; m != nil {
			m.deletedByUser = m.deletedByUser || is.DeletionTimestamp != nil && was.GetDeletionTimestamp() == nil &&
				c.w.running == nil
			if was, ok := was.(*v1alpha1.NomadNode); ok && is.Status.CordonedDrain != was.Status.CordonedDrain {
				m.seenEligible = c.viewed()
			}
			m.shown(is, c.w.now)
		}
	}
}

// viewed is as of when the view of Nomad is that the running task goes by.
func (c *checks) viewed() time.Time {
	if t := c.w.running; t != nil && t.asks != nil {
		return t.asks.asOf
	}
	return c.w.now
}

// shown keeps the books on what a member's NomadNode says.
func (m *memberTruth) shown(is *v1alpha1.NomadNode, now time.Time) {
	m.requested(is.Spec.Drain, now)
	m.isForced(is, now)
	if is.Status.VM.UID != "" && m.vmKnown.IsZero() {
		m.vmKnown = now
	}
	if ready := meta.FindStatusCondition(is.Status.Conditions, v1alpha1.NodeVMReady); ready != nil &&
		ready.Reason == v1alpha1.ReasonDeleteStuck {
		m.stuck = mostTime
	} else if m.stuck.Equal(mostTime) {
		m.stuck = now
	}
	if address := is.Spec.Nomad.Address; address != "" && !m.nomad.isAsked(is) {
		m.misled = mostTime
	} else if m.misled.Equal(mostTime) {
		m.misled = now
	}
	if !leaving(is) {
		m.left = time.Time{}
	} else if m.left.IsZero() {
		m.left = now
	}
	if _, protected := is.Annotations[v1alpha1.ProtectAnnotation]; !protected {
		m.protected = time.Time{}
	} else if m.protected.IsZero() {
		m.protected = now
	}
}

// heard notes the controllers' Events.
func (c *checks) heard(p *process, name, reason string) {
	m := c.members[name]
	switch {
	case m == nil, c.off:
	case reason == "VMOrphaned":
		m.reported = true
	case reason == "PurgeSkipped":
		m.late = true
		t := c.w.running
		way := p.clusterOf(t)
		if t.asks.notAsked || t.asks.known && way.known() && way.nomad == m.nomad && !c.w.ledAfter(t.began) {
			c.w.violate("I7", name, "left to Nomad, though it wasn't asked in vain")
		}
	}
}

func (w *Environment) nodeName(nodeID string) string {
	if m := w.checks.byNodeID[nodeID]; m != nil {
		return m.name
	}
	return nodeID
}

// after checks a write to Kubernetes that took effect.
func (c *checks) after(t *task, made call, before client.Object) {
	if c.off {
		return
	}
	is := c.w.store.get(made.id)
	switch made.id.kind {
	case kindPool:
		if !made.status {
			c.w.violate("I6", made.id.name, "the pool's spec or metadata was written: %s %s", made.verb, made.patch)
		}
	case kindNode:
		c.afterNode(t, made, before, is)
	case kindVM:
		c.afterVM(t, made, before)
	case kindSecret:
		if made.verb == "create" {
			c.secretMade(t, is)
			break
		}
		if made.verb == "patch" && c.secrets[before.GetUID()] {
			c.secretPatched(before, is)
			break
		}
		c.collected(t, c.members[before.GetLabels()[v1alpha1.NodeLabel]], "a Secret")
		if !c.secrets[before.GetUID()] {
			c.w.violate("I6", made.id.name, "a Secret that isn't a member's: %s", made.verb)
		}
	case kindClaim:
		c.afterClaim(t, made)
	default:
		c.w.violate("I6", made.id.name, "%s of a %s", made.verb, made.id.kind)
	}
}

func (c *checks) afterNode(t *task, made call, before, is client.Object) {
	if made.verb == "create" {
		c.created(t, is.(*v1alpha1.NomadNode))
		return
	}
	m := c.members[made.id.name]
	if m == nil || before.(*v1alpha1.NomadNode).Spec.NodeID != m.nodeID {
		c.w.violate("I6", made.id.name, "a NomadNode that no pool made: %s", made.verb)
		return
	}
	was := before.(*v1alpha1.NomadNode)
	now, _ := is.(*v1alpha1.NomadNode)
	switch {
	case made.verb == "delete":
		c.nodeDeleted(t, m)
	case made.status:
		c.status(t, m, was, now)
	case now == nil:
		c.released(m, was)
	default:
		c.drainRequest(t, m, was, now)
	}
}

// created checks a new member.
func (c *checks) created(t *task, n *v1alpha1.NomadNode) {
	// What is made for a pool that has just been deleted is collected by Kubernetes.
	former := c.members[n.Name]
	if former != nil && former.nodeID != n.Spec.NodeID && c.poolOf(n) != nil &&
		(c.alone(t) || latest(former.released, former.gone).Before(t.began)) {
		// Of two leaders one may be late by so much that the other has let the member of that number go meanwhile. Its
		// disks and its Nomad node have other names.
		c.w.violate("I2", n.Name, "a member's name was used again")
	}
	m := &memberTruth{
		name: n.Name, nodeID: n.Spec.NodeID, poolUID: n.Spec.PoolUID, nomad: c.w.joinedBy(n.Spec.Nomad.Servers),
		claims:   blueprint.ClaimNames(blueprint.MemberOf(n)),
		requests: map[string]time.Time{}, resent: map[string]time.Time{}, drained: map[string]time.Time{},
		extended: map[string]time.Time{},
		over:     map[string]time.Time{}, lateSent: map[string]time.Time{},
	}
	c.members[n.Name], c.byNodeID[m.nodeID] = m, m
	m.shown(n, c.w.now)
	c.askedWhereItJoins(n)
	c.notTooMany(t, n, "a member was made")
	c.breakerBlocks(t, n, "a member was made")
}

// status checks what is written of a member.
func (c *checks) status(t *task, m *memberTruth, was, is *v1alpha1.NomadNode) {
	if k := is.Status.ResentDrain; k != "" && was.Status.ResentDrain != k {
		m.resent[k] = c.w.now
	}
	c.reportsTrue(m, is)
	before, after := meta.IsStatusConditionTrue(was.Status.Conditions,
		v1alpha1.NodeDrainCompleted), meta.IsStatusConditionTrue(
		is.Status.Conditions,
		v1alpha1.NodeDrainCompleted,
	)
	if after && !before {
		c.drained(t, m, is)
	}
}

func (c *checks) afterVM(t *task, made call, before client.Object) {
	if made.verb == "create" {
		vm := c.w.store.get(made.id).(*kubevirtv1.VirtualMachine)
		c.vmMade(t, vm)
		return
	}
	vm := before.(*kubevirtv1.VirtualMachine)
	name := c.owned[vm.UID]
	if name == "" {
		c.w.violate("I6", vm.Name, "a VM that isn't a member's: %s", made.verb)
		return
	}
	if made.verb == "delete" {
		c.vmStopped(t, c.members[name], vm)
		return
	}
	now, _ := c.w.store.get(made.id).(*kubevirtv1.VirtualMachine)
	switch {
	case now == nil || !specChanged(vm, now):
	case halted(now) && !halted(vm):
		c.vmStopped(t, c.members[name], vm)
	case halted(vm) && !halted(now):
		c.vmStarted(c.members[name], vm)
	default:
		c.w.violate("I6", vm.Name, "the VM's spec was edited: %s", made.patch)
	}
}

func (c *checks) secretMade(t *task, secret client.Object) {
	c.secrets[secret.GetUID()] = true
	c.leadsTo(secret.(*corev1.Secret))
	m := c.members[secret.GetLabels()[v1alpha1.NodeLabel]]
	if m != nil && !m.drainedAt.IsZero() && !c.alone(t) {
		c.orphaned[secret.GetUID()] = true // as a VM may be
	}
}

func (c *checks) vmMade(t *task, vm *kubevirtv1.VirtualMachine) {
	m := c.members[vm.Name]
	if m == nil {
		c.w.violate("I6", vm.Name, "a VM was made that no NomadNode records")
		return
	}
	n := c.nomadNode(m)
	if (n == nil || n.Status.VM.UID != "") && !c.alone(t) {
		// One of two leaders was late by so much that the other has let the member go meanwhile. Nothing in Kubernetes can
		// fence that off; an Event reports such a VM.
		c.orphaned[vm.UID] = true
		return
	}
	c.owned[vm.UID], m.vmMade = vm.Name, c.w.now
	if !c.w.kubevirt.bootable(vm) && !m.secretTaken && (n == nil || !leaving(n)) {
		c.w.violate("I7", vm.Name, "a VM was made before its Secret, so that it starts for ever")
	}
	// One that was lost before it could be written down can't be known of.
	if m.vmKnown.Before(t.began) && !m.vmKnown.IsZero() {
		c.w.violate("I2", vm.Name, "a member's VM was made twice")
	}
}

func (c *checks) afterClaim(t *task, made call) {
	for _, m := range c.members {
		if !slices.Contains(m.claims, made.id.name) {
			continue
		}
		c.collected(t, m, "a claim")
		if vm := c.vmOf(m); vm != nil {
			c.w.violate("I6", m.name, "claim %s was deleted while the VM exists", made.id.name)
		}
		return
	}
	c.w.violate("I6", made.id.name, "a claim that isn't a member's: %s", made.verb)
}

// vmOf is a member's VM, if it exists.
func (c *checks) vmOf(m *memberTruth) *kubevirtv1.VirtualMachine {
	for _, o := range c.w.store.all(kindVM) {
		if c.owned[o.GetUID()] == m.name {
			return o.(*kubevirtv1.VirtualMachine)
		}
	}
	return nil
}

// instanceOf is a member's instance, if it exists.
func (c *checks) instanceOf(m *memberTruth) *kubevirtv1.VirtualMachineInstance {
	for _, o := range c.w.store.all(kindInstance) {
		if ref := metav1.GetControllerOf(o); ref != nil && c.owned[ref.UID] == m.name {
			return o.(*kubevirtv1.VirtualMachineInstance)
		}
	}
	return nil
}

// guestOf is a member's guest, if one runs.
func (c *checks) guestOf(m *memberTruth) *guest {
	for _, o := range c.w.store.all(kindVM) {
		if g := c.w.kubevirt.guests[o.GetUID()]; g != nil && c.owned[o.GetUID()] == m.name {
			return g
		}
	}
	return nil
}
