package controllers

import (
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/events"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/sweep"
)

// Events of pools and members. One function each, so that their wording stays the same everywhere. They are sent after
// the change that they tell of has been written.
type eventSink struct{ events.EventRecorder }

func (e eventSink) normal(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeNormal, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

func (e eventSink) warn(on runtime.Object, reason, action, format string, args ...any) {
	e.warnOf(on, nil, reason, action, format, args...)
}

// warnOf names the object that the warning is about: of two Events that differ in their text alone the recorder keeps one.
func (e eventSink) warnOf(on, related runtime.Object, reason, action, format string, args ...any) {
	e.Eventf(on, related, corev1.EventTypeWarning, reason, action, "%s", note(fmt.Sprintf(format, args...)))
}

// note is text as far as an Event may hold it. The conditions have more of it.
func note(text string) string { return clamp(text, maxNote) }

func (e eventSink) memberCreated(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.normal(p, n, "MemberCreated", "Create", "Created member %s", n.Name)
}

func (e eventSink) createFailed(p *v1alpha1.NomadNodePool, err error) {
	e.warn(p, "CreateFailed", "Create", "A member could not be created: %v", err)
}

func (e eventSink) letGo(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode, reason v1alpha1.DrainReason) {
	switch reason {
	case v1alpha1.DrainRollout:
		e.normal(p, n, "MemberOutdated", "Rollout", "Member %s leaves: it was made from an older template", n.Name)
	case v1alpha1.DrainJoinTimeout:
		e.warnOf(p, n, "MemberNotJoined", "Replace", "Member %s is replaced: its guest didn't join Nomad within %s", n.Name, n.Spec.JoinTimeout.Duration)
	case v1alpha1.DrainUnhealthy:
		e.warnOf(p, n, "MemberUnhealthy", "Replace", "Member %s is replaced: its Nomad node has not been ready for longer than %s", n.Name, p.Spec.Health.UnhealthyTimeout.Duration)
	default:
		e.normal(p, n, "MemberLeaving", "ScaleIn", "Member %s leaves: the pool has more members than replicas", n.Name)
	}
}

func (e eventSink) joinsFailing(p *v1alpha1.NomadNodePool, message string) {
	e.warn(p, "BreakerOpened", "Join", "%s", message)
}

func (e eventSink) joinsTriedAgain(p *v1alpha1.NomadNodePool) {
	e.normal(p, nil, "BreakerClosed", "Join", "Members are made and replaced again")
}

func (e eventSink) rescued(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.normal(p, n, "MemberRescued", "ScaleOut", "Member %s is called back from leaving: the pool needs it again", n.Name)
}

func (e eventSink) replaced(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.normal(p, n, "MemberReplaced", "Replace", "Member %s is replaced: its VM was refused, and the template has changed since", n.Name)
}

func (e eventSink) scaled(p *v1alpha1.NomadNodePool, r *v1alpha1.ScaleRecord) {
	if r.From < 0 {
		e.normal(p, nil, "Scaled", "Scale", "Replicas %d: %s", r.To, r.Reason)
		return
	}
	e.normal(p, nil, "Scaled", "Scale", "Replicas %d -> %d: %s", r.From, r.To, r.Reason)
}

func (e eventSink) vmCreated(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "VMCreated", "CreateVM", "Created VirtualMachine %s and its Secret", n.Name)
}

func (e eventSink) vmStarted(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "VMStarted", "StartVM", "Started VirtualMachine %s, which Harvester had halted for the namespace's quota", n.Name)
}

func (e eventSink) vmRefused(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "VMRefused", "CreateVM", "%s", message)
}

// noRoom says why a VM that was accepted doesn't run.
func (e eventSink) noRoom(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "NoRoom", "StartVM", "%s", message)
}

func (e eventSink) vmNotMade(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "CreateFailed", "CreateVM", "The VM could not be made. %s", message)
}

func (e eventSink) joined(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "Joined", "Join", "Nomad node %s is ready", n.Spec.NodeID)
}

func (e eventSink) joinTimeout(n *v1alpha1.NomadNode) {
	e.warn(n, "JoinTimeout", "Join", "The guest didn't join Nomad within %s", n.Spec.JoinTimeout.Duration)
}

// leaving tells of an order to leave. host is the one that the member runs on, as far as it is known.
func (e eventSink) leaving(n *v1alpha1.NomadNode, reason v1alpha1.DrainReason, host string) {
	switch reason {
	case v1alpha1.DrainVMDeleted:
		e.warn(n, "VMDeletedByOthers", "Drain", "Somebody deleted the VM without draining it; what is left of the member is cleaned up. To remove a member, delete its NomadNode.")
	case v1alpha1.DrainEvacuation:
		e.normal(n, nil, "Evacuating", "Drain", "Host %s is to be freed: draining, then removing the member, which is replaced elsewhere", host)
	default:
		e.normal(n, nil, "Leaving", "Drain", "Draining, then removing the member: %s", member.Because(reason))
	}
}

func (e eventSink) drainStarted(n *v1alpha1.NomadNode) {
	if record(n).DrainOnTimeout() == v1alpha1.DrainRetain {
		e.normal(n, nil, "DrainStarted", "Drain", "Draining Nomad node %s for as long as its allocations run, because onTimeout is Retain", n.Spec.NodeID)
		return
	}
	e.normal(n, nil, "DrainStarted", "Drain", "Draining Nomad node %s, deadline %s", n.Spec.NodeID, n.Spec.Drain.Deadline.UTC().Format(time.RFC3339))
}

func (e eventSink) drainWithdrawn(n *v1alpha1.NomadNode, allocation string) {
	e.normal(n, nil, "DrainWithdrawn", "Rescue", "The member was to leave only if it is empty, but got allocation %s before its node was ineligible; it stays", allocation)
}

func (e eventSink) drainKicked(n *v1alpha1.NomadNode) {
	e.warn(n, "DrainStalled", "Drain", "Nomad's drain had stalled with only system allocations left; sent it again")
}

// drainCanceled tells what a rescue has undone: a node that was ineligible before the order to leave stays so.
func (e eventSink) drainCanceled(n *v1alpha1.NomadNode, eligible bool) {
	if eligible {
		e.normal(n, nil, "DrainCanceled", "Rescue", "Nomad node %s is eligible again", n.Spec.NodeID)
		return
	}
	e.normal(n, nil, "DrainCanceled", "Rescue", "The drain of Nomad node %s is canceled; it stays ineligible, as it was before its member was ordered to leave", n.Spec.NodeID)
}

func (e eventSink) drained(n *v1alpha1.NomadNode, message string) {
	e.normal(n, nil, "Drained", "Drain", "%s", message)
}

func (e eventSink) reopened(n *v1alpha1.NomadNode) {
	e.warn(n, "DrainReopened", "Drain", "The Nomad node takes work again, or has some, after it was drained; draining it once more")
}

func (e eventSink) drainForced(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "DrainForced", "Drain", "%s", message)
}

func (e eventSink) drainSkipped(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "DrainSkipped", "Drain", "%s", message)
}

func (e eventSink) vmDeleted(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "VMDeleted", "DeleteVM", "Deleted VirtualMachine %s with its disks", n.Name)
}

func (e eventSink) deleteStuck(n *v1alpha1.NomadNode, message string) {
	e.warn(n, "DeleteStuck", "DeleteVM", "%s", message)
}

func (e eventSink) purged(n *v1alpha1.NomadNode) {
	e.normal(n, nil, "Purged", "Purge", "Removed node %s from Nomad", n.Spec.NodeID)
}

func (e eventSink) purgeSkipped(n *v1alpha1.NomadNode) {
	e.warn(n, "PurgeSkipped", "Purge", "Nomad can't be asked; node %s is left to Nomad's own garbage collection", n.Spec.NodeID)
}

// swept relates each event to what it tells of, without which Kubernetes would take them all for one.
func (e eventSink) swept(p *v1alpha1.NomadNodePool, l sweep.Leftover) {
	what, related := "claim", client.Object(&corev1.PersistentVolumeClaim{})
	switch l.Kind {
	case sweep.NomadNode:
		what, related = "Nomad node", &v1alpha1.NomadNode{}
	case sweep.Secret:
		what, related = "Secret", &corev1.Secret{}
	default:
	}
	related.SetNamespace(l.Namespace)
	related.SetName(l.Name)
	e.normal(p, related, "Swept", "Sweep", "Removed %s %s, which was left of member %s without a record", what, l.Name, l.Member)
}

func (e eventSink) unrecorded(p *v1alpha1.NomadNodePool, l sweep.Leftover) {
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: l.Name}}
	e.warnOf(p, vm, "VMWithoutRecord", "Sweep", "VM %s is a member's, but its NomadNode is gone, so nobody looks after it: drain its Nomad node, annotate the VM %s and delete it", l.Name, v1alpha1.AllowDeleteAnnotation)
}

func (e eventSink) poolGone(n *v1alpha1.NomadNode) {
	e.warn(n, "PoolGone", "Sweep", "NomadNodePool %s, which made this member, is gone, so nobody scales, updates or replaces it; delete this NomadNode to have it drained and removed", n.Spec.PoolName)
}

func (e eventSink) nameTaken(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.normal(p, n, "MemberReplaced", "Replace", "Member %s is replaced by one of another name: a VM of this name exists that isn't its own, and is left alone", n.Name)
}

// movedOn tells of a member that leaves because its pool was led to another Nomad cluster.
func (e eventSink) movedOn(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.normal(p, n, "MemberOutdated", "Rollout", "Member %s leaves: it is in another Nomad cluster than the pool's, and drains there", n.Name)
}

func (e eventSink) aged(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	e.normal(p, n, "MemberOutdated", "Rollout", "Member %s leaves: it was made before rollout.restartedAt or is older than rollout.maxAge", n.Name)
}

// guardBroken tells of an admission policy of the installation, or its binding, that is missing or being deleted under members.
func (e eventSink) guardBroken(o client.Object, message string) {
	e.warn(o, "GuardBroken", "Guard", "%s", message)
}
