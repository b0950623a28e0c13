package node

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

// act takes the next step, and those that can follow without a new observation. The decision is that of the last one.
func (r *Reconciler) act(ctx context.Context, s *scope) (member.Decision, member.Outcome, error) {
	out := member.Outcome{}
	for last := (member.Decision{}); ; {
		d := r.Next(out.After(s.observed))
		if d.Step == last.Step { // it wasn't taken, or the next observation shows its effect
			return last, out, nil
		}
		if err := r.apply(ctx, s, d, &out); err != nil || out.RetryAfter > 0 || !d.Step.Continues(s.observed) {
			return d, out, err
		}
		last = d
	}
}

// apply takes a step. A refusal that an immediate retry wouldn't change is part of the outcome, not an error.
func (r *Reconciler) apply(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	r.track(s, d)
	step := r.stepOf(d.Step)
	if step == nil {
		return nil
	}
	before := s.node
	err := step(ctx, s, d, out)
	if s.node != before { // the step has written into it
		now := nodestate.Of(s.node)
		out.Node = &now
	}
	if err == nil {
		return nil
	}
	if err = fmt.Errorf("%s: %w", d.Step, err); explain(out, d.Step, err) {
		return nil
	}
	return err
}

// stepOf returns the function that takes a step; nil: there is nothing to do.
//
//nolint:gocyclo,funlen // one line a step, and the linter exhaustive holds that none is missing
func (r *Reconciler) stepOf(step member.Step) func(context.Context, *scope, member.Decision, *member.Outcome) error {
	switch step {
	case member.Wait:
		return nil
	case member.CreateSecret:
		return r.createSecret
	case member.RenewSecret:
		return r.renewSecret
	case member.CreateVM:
		return r.createVM
	case member.RemoveIntroduction:
		return r.removeIntroduction
	case member.RenewIntroduction:
		return r.renewIntroduction
	case member.StartVM:
		return r.startVM
	case member.UnlistClaims:
		return r.unlistClaims
	case member.RequestDrain:
		return r.requestDrain
	case member.RecordCancel:
		return r.recordCancel
	case member.CancelDrain:
		return r.cancelDrain
	case member.ClearDrainRequest:
		return r.cancelDrain
	case member.UndoDrain:
		return r.undoDrain
	case member.Cordon:
		return r.cordon
	case member.ExtendDrain:
		return r.extendDrain
	case member.Drain:
		return r.drain
	case member.ResendDrain:
		return r.resendDrain
	case member.MarkDrained:
		return r.markDrained
	case member.DeleteNomadNode:
		return r.deleteNomadNode
	case member.ListClaims:
		return r.listClaims
	case member.DeleteVM:
		return r.deleteVM
	case member.HaltVM:
		return r.haltVM
	case member.Purge:
		return r.purge
	case member.DeleteClaims:
		return r.deleteClaims
	case member.DeleteSecret:
		return r.deleteSecret
	case member.Release:
		return r.release
	}
	return nil
}

// track has the member's allocations polled while it matters which live.
func (r *Reconciler) track(s *scope, d member.Decision) {
	cluster := s.link.Cluster
	if !s.observed.Node.Emptying() || d.Step == member.Release {
		cluster = nil
	}
	r.tracking.set(client.ObjectKeyFromObject(s.node), cluster, s.node.Spec.NodeID)
}

func (r *Reconciler) createVM(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	rendered, err := render.Member(blueprint.MemberOf(s.node), s.facts)
	if err != nil {
		return templateProblem(err)
	}
	// Strictly, as kubectl does: the API server would drop fields of a KubeVirt that is newer than the cluster's.
	if err := r.Client.Create(ctx, rendered.VM, client.FieldValidation(metav1.FieldValidationStrict)); err != nil {
		if apierrors.IsAlreadyExists(err) {
			return nil // The next observation shows whether the member owns it.
		}
		return err
	}
	made := nodestate.VMOf(s.node, rendered.VM)
	s.vm, out.VM = rendered.VM, &made
	return nil
}

// upToDate is true if the NomadNode that was read is the latest. A stale one may not show yet that the member's VM was
// made and has gone since, that the member leaves, or that its drain request was canceled. Then the step isn't taken,
// and the next reconcile decides again. It is asked once: a step that has been found possible is followed by the next
// one at once. And what this reconcile has written is the latest, as it couldn't have been written into something
// older.
func (r *Reconciler) upToDate(ctx context.Context, s *scope) (bool, error) {
	n := s.node
	if s.latest {
		return true, nil
	}
	now := &v1alpha1.NomadNode{}
	if err := r.Live.Get(ctx, client.ObjectKeyFromObject(n), now); client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading the NomadNode again: %w", err)
	}
	s.latest = now.UID == n.UID && now.ResourceVersion == n.ResourceVersion
	return s.latest, nil
}

func (r *Reconciler) requestDrain(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	now := s.observed.Now
	deadline := now.Add(s.node.Spec.ScaleIn.Drain.Deadline.Duration)
	if d.Reason == v1alpha1.DrainVMDeleted {
		deadline = now
	}
	id := r.NewID()
	err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) {
		n.Spec.Drain = nodestate.NewDrainRequest(id, d.Reason, now, deadline)
	})
	if err == nil {
		r.Events.leaving(s.node, d.Reason, s.observed.Instance.EvacuatedFrom)
	}
	return err
}

// markDrained is the point of no return, so it asks Nomad's leader once more, past all caches: for the node first, then
// for its allocations, so that nothing can have been placed in between.
func (r *Reconciler) markDrained(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	if !d.Unchecked {
		in, err := r.inspect(ctx, s, out)
		if err != nil {
			return err
		}
		if open(in, s.node.Spec.ScaleIn.Drain) {
			return r.byLeader(ctx, s, byInspection(s, in), out)
		}
		other, known, err := r.busyOther(ctx, s, in, out)
		if err != nil || !known {
			return err
		}
		if other != nil {
			return r.byLeader(ctx, s, nodestate.Nomad{Known: true, Other: other}, out)
		}
	}
	return r.writeDrained(ctx, s, d, out)
}

// byLeader decides by what the leader answers of a member that by the view is empty. Until the view catches up, that
// describes the member, and the leader isn't asked all the time. But the two may differ for as long as a job likes: the
// view doesn't have an allocation that has failed and whose poststop task runs. A member whose time is over goes.
func (r *Reconciler) byLeader(ctx context.Context, s *scope, leads nodestate.Nomad, out *member.Outcome) error {
	out.Nomad = &leads
	after := out.After(s.observed)
	after.Nomad.StopTime = new(time.Duration) // how long that takes isn't asked while the view is empty
	if after.Node.Drain != nil && !after.Nomad.KeepsRunning() {
		after.Stop.Accepted = after.Node.Drain.DeadlineTime.Time // what Nomad would have to stop is over
	}
	d := r.Next(after)
	if d.Step == member.MarkDrained && d.Unchecked {
		out.Nomad = &after.Nomad
		return r.writeDrained(ctx, s, d, out)
	}
	var err error
	if d.Step == member.Drain && !after.Now.Before(after.Node.Drain.DeadlineTime.Time) { // the view may never catch up
		led := *s
		led.observed, out.Nomad = after, nil
		err = r.drain(ctx, &led, d, out)
	}
	if out.Nomad == nil {
		out.Nomad = &leads
	}
	out.RetryAfter = viewRetry
	return err
}

// writeDrained writes how the drain ended.
func (r *Reconciler) writeDrained(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	err := r.writeFact(ctx, s, out, func(st *v1alpha1.NomadNodeStatus) {
		st.DrainResult = d.Drained.Result
		st.DeletedByController = st.DeletedByController || s.node.DeletionTimestamp == nil
		c := condition.True(string(d.Drained.Result), d.Drained.Message)
		kube.SetCondition(&st.Conditions, v1alpha1.NodeDrainCompleted, c, s.node.Generation, s.observed.Now)
	})
	if err != nil {
		return err
	}
	result := "drained"
	switch {
	case d.Late:
		result = "forced"
		r.Events.drainSkipped(s.node, d.Drained.Message)
	case d.Unchecked && d.Drained.Result == v1alpha1.DrainDeadlinePassed:
		result = "forced"
		r.Events.drainForced(s.node, d.Drained.Message)
	default:
		r.Events.drained(s.node, d.Drained.Message)
	}
	if s.node.Spec.Drain != nil && kube.HasMetrics(s.node.Namespace, s.node.Spec.PoolName) {
		drainSeconds.WithLabelValues(s.node.Namespace, s.node.Spec.PoolName, result).
			Observe(s.observed.Now.Sub(s.node.Spec.Drain.RequestTime.Time).Seconds())
	}
	return nil
}

// reopen has a member drained once more that has got work since it was drained, or may get some. The time of its drain
// request may be over, and what runs there now must not be stopped for that: it gets a new one.
func (r *Reconciler) reopen(ctx context.Context, s *scope, out *member.Outcome) error {
	reason, now := v1alpha1.DrainDeleted, s.observed.Now
	if was := s.node.Spec.Drain; was != nil {
		reason = was.Reason
	}
	err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) {
		n.Spec.Drain = nodestate.NewDrainRequest(r.NewID(), reason, now, now.Add(n.Spec.ScaleIn.Drain.Deadline.Duration))
	})
	if err != nil {
		return err
	}
	err = r.writeFact(ctx, s, out, func(st *v1alpha1.NomadNodeStatus) { st.DrainResult = "" })
	if err == nil {
		r.Events.reopened(s.node)
	}
	return err
}

// open is true for a node that may have, or may get, allocations that a drain waits for.
func open(in nomad.Inspection, p v1alpha1.DrainPolicy) bool {
	return in.Found && (in.Node.Eligible || len(member.WaitedFor(memberAllocations(in.Live), p)) > 0)
}

func (r *Reconciler) deleteNomadNode(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	return r.deleteExactly(ctx, s.node, &r.written)
}

// deleteExactly deletes this object and no other of its name, and notes it where the cache's lag is judged.
func (r *Reconciler) deleteExactly(ctx context.Context, o client.Object, in *kube.Writes,
	opts ...client.DeleteOption) error {
	err := r.Client.Delete(ctx, o, append(opts, kube.Exactly(o.GetUID()))...)
	if err == nil {
		in.Deleted(o, r.Clock.Now())
	}
	return client.IgnoreNotFound(err)
}

func (r *Reconciler) listClaims(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	// What is said of the VM is read from the cache, and the NomadNode too. If that is old, the step has been taken.
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	names := strings.Join(nodestate.ClaimsOf(s.node), ",")
	err := r.patchRemovedClaims(ctx, s, &names)
	if kube.Refusal(err) != nil {
		// Harvester refuses every change of a VM whose network is gone, but not its deletion. Then the controller deletes the
		// claims itself.
		return r.deleteVM(ctx, s, d, out)
	}
	out.ClaimsListed = err == nil
	return client.IgnoreNotFound(err)
}

// unlistClaims takes the names of claims off a VM that isn't to go: who copies the VM would copy them. Harvester's UI
// says nothing of a refused deletion, so what it shows of the VM does.
func (r *Reconciler) unlistClaims(ctx context.Context, s *scope, _ member.Decision, _ *member.Outcome) error {
	// The cache may show what was listed for the member's removal before it shows that the member leaves.
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	err := r.patchRemovedClaims(ctx, s, nil)
	if err == nil {
		r.Events.deletionRefused(s.vm, s.node)
	}
	if kube.Refusal(err) != nil { // Harvester refuses every change of some VMs; then the names stay
		return nil
	}
	return client.IgnoreNotFound(err)
}

// patchRemovedClaims sets which claims Harvester removes with the VM, or, if names is nil, takes that off. It is a
// merge patch of this one key, because our types may lack fields of the VM, so that it must never be written back
// whole. With the UID in it another VM that has the name by now is left alone.
func (r *Reconciler) patchRemovedClaims(ctx context.Context, s *scope, names *string) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"uid": s.vm.UID, "annotations": map[string]*string{nodestate.RemovedClaimsAnnotation: names}}})
	if err != nil {
		return err
	}
	return r.Client.Patch(ctx, s.vm.DeepCopy(), client.RawPatch(types.MergePatchType, patch))
}

func (r *Reconciler) deleteVM(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if nodestate.Of(s.node).DrainResult != v1alpha1.DrainDeadlinePassed && s.link.Known {
		// Since the drain a guest that booted late may have joined, or somebody may have made the node eligible.
		in, err := r.inspect(ctx, s, out)
		if err != nil {
			return err
		}
		if open(in, s.node.Spec.ScaleIn.Drain) {
			return r.reopen(ctx, s, out)
		}
		other, known, err := r.busyOther(ctx, s, in, out)
		if err != nil || !known {
			return err
		}
		if other != nil {
			return r.reopen(ctx, s, out)
		}
	}
	// A stale cache may hold a NomadNode that is gone. If somebody removed its finalizer, the VM is to run on.
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	// In the background: with foreground deletion Kubernetes could remove what Harvester's own clean-up still needs.
	return r.deleteExactly(ctx, s.vm, &r.vms, client.PropagationPolicy(metav1.DeletePropagationBackground))
}

func (r *Reconciler) deleteClaims(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	var errs []error
	for _, c := range s.observed.Claims {
		if !c.Deleting {
			pvc := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: s.node.Namespace, Name: c.Name}}
			errs = append(errs, client.IgnoreNotFound(r.Client.Delete(ctx, pvc)))
		}
	}
	return errors.Join(append(errs, r.deleteDataVolumes(ctx, s)...)...)
}

// release removes the NomadNode's finalizer. It asks Nomad once more, because a guest may have registered since the
// last observation.
func (r *Reconciler) release(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	if counted, err := r.counted(ctx, s.node); err != nil || !counted {
		out.RetryAfter = countRetry
		return err
	}
	if d.Late {
		r.Events.purgeSkipped(s.node)
	} else if s.observed.Node.Purge && !out.Purged {
		if _, err := r.purgeOwned(ctx, s, out); err != nil {
			return err
		}
	}
	reason := v1alpha1.DrainDeleted
	if s.node.Spec.Drain != nil {
		reason = s.node.Spec.Drain.Reason
	}
	err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { controllerutil.RemoveFinalizer(n, v1alpha1.NodeFinalizer) })
	if err == nil && kube.HasMetrics(s.node.Namespace, s.node.Spec.PoolName) {
		membersRemoved.WithLabelValues(s.node.Namespace, s.node.Spec.PoolName, string(reason)).Inc()
	}
	return client.IgnoreNotFound(err)
}

// counted is true once the pool has counted the member. Before that the pool could use the member's name again. A pool
// that is gone makes no more members.
func (r *Reconciler) counted(ctx context.Context, n *v1alpha1.NomadNode) (bool, error) {
	p, err := r.poolOf(ctx, n)
	if err != nil || p == nil {
		return err == nil, err
	}
	members, err := r.membersOf(ctx, n)
	if err != nil {
		return false, err
	}
	exist := map[string]bool{n.Name: true}
	for i := range members {
		exist[members[i].Name] = true
	}
	recorded := p.Status.NextOrdinal
	next := pool.NextOrdinal(p.Name, string(p.UID), recorded, func(name string) bool { return exist[name] })
	return next == recorded, nil
}

// patchNode changes the member's spec or metadata, if nobody else has written since it was read.
func (r *Reconciler) patchNode(ctx context.Context, s *scope, change func(*v1alpha1.NomadNode)) error {
	after := s.node.DeepCopy()
	change(after)
	if err := r.Client.Patch(ctx, after, kube.Locked(s.node)); err != nil {
		return err
	}
	s.node, s.latest = after, true
	r.written.Wrote(after, r.Clock.Now())
	return nil
}

// writeFact writes a fact into the member's status during a step, if nobody else has written since it was read: a fact
// that must be written before an act, or that stays true whatever follows, such as that the node is made ineligible for
// a drain request, or that the member is drained. What is to be said of the member then is written with it.
func (r *Reconciler) writeFact(ctx context.Context, s *scope, out *member.Outcome,
	change func(*v1alpha1.NomadNodeStatus)) error {
	n := s.node.DeepCopy()
	change(&n.Status)
	with, now := *out, nodestate.Of(n)
	with.Node = &now
	return r.writeStatus(ctx, s, statusOf(s, n, with, r.Describe(s.observed, with)))
}
