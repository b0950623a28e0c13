package node

import (
	"context"
	"errors"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// cordon makes the node ineligible, if the drain request still holds. Another leader may have canceled and cleared it,
// and then nothing would undo the cordon.
func (r *Reconciler) cordon(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if err := r.writeCordonedDrain(ctx, s, out); err != nil {
		return err
	}
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	err := s.link.Cluster.Cordon(ctx, s.node.Spec.NodeID)
	if err == nil {
		r.noteAccepted(s.node, func(a *accepted, now time.Time) { a.cordon = a.cordon.At(now) })
	}
	return ignoreNodeNotFound(err)
}

// writeCordonedDrain records that the node is made ineligible for the drain request. It does so before the cordon, so
// that the cordon doesn't look like an operator's later.
func (r *Reconciler) writeCordonedDrain(ctx context.Context, s *scope, out *member.Outcome) error {
	if nodestate.Of(s.node).Cordoned() {
		return nil
	}
	return r.writeFact(ctx, s, out, func(st *v1alpha1.NomadNodeStatus) { st.CordonedDrain = s.node.Spec.Drain.ID })
}

// cancelDrain undoes in Nomad what was done for a canceled drain request, and clears the request once nothing is left
// to undo. It asks Nomad's leader what is left. The view may be older than our own cordon, and without a request
// nothing would make the node eligible again. Or the view may be older than the end of the drain, and the Event would
// be emitted twice.
func (r *Reconciler) cancelDrain(ctx context.Context, s *scope, d member.Decision, out *member.Outcome) error {
	in, err := r.inspect(ctx, s, out)
	if err != nil {
		return err
	}
	cordoned := !in.Node.Eligible && s.observed.Node.Cordoned()
	othersDrain := in.Node.Draining && (in.Node.LastDrain == nil || in.Node.LastDrain.DrainID != s.node.Spec.Drain.ID)
	if !in.Found || othersDrain || !in.Node.Draining && !cordoned {
		if d.Step == member.ClearDrainRequest {
			return r.clearDrainRequest(ctx, s)
		}
		out.RetryAfter = viewRetry // undone already; the view catches up in a moment
		return nil
	}
	undo := s.link.Cluster.CancelDrain
	if cordoned {
		undo = s.link.Cluster.Uncordon
	}
	if err := ignoreNodeNotFound(undo(ctx, s.node.Spec.NodeID)); err != nil {
		return err
	}
	r.Events.drainCanceled(s.node, cordoned)
	return nil
}

// recordCancel records when a drain request was canceled. The request is cleared some time after that.
func (r *Reconciler) recordCancel(ctx context.Context, s *scope, _ member.Decision, _ *member.Outcome) error {
	return r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { n.Spec.Drain.Cancel(s.observed.Now) })
}

// clearDrainRequest removes a drain request together with the annotation delete-next, which was meant for this request.
func (r *Reconciler) clearDrainRequest(ctx context.Context, s *scope) error {
	return r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) {
		n.Spec.Drain = nil
		delete(n.Annotations, v1alpha1.DeleteNextAnnotation)
	})
}

// drain has Nomad drain the node, if the drain request still holds.
func (r *Reconciler) drain(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if goOn, err := r.recheck(ctx, s, out); err != nil || !goOn {
		return err
	}
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	if goOn, err := r.othersDrain(ctx, s, out); err != nil || !goOn {
		return err
	}
	if goOn, err := r.stillLeft(ctx, s, out); err != nil || !goOn {
		return err
	}
	sent, err := r.sendDrain(ctx, s)
	again := member.Overruns(s.observed) ||
		!s.observed.Drain.First.IsZero() && !s.observed.Nomad.Draining // because Nomad doesn't show it
	o := s.observed.Nomad
	if sent && !again && (!o.LiveKnown || len(o.Live) > 0) { // else it is over at once, and that has an Event
		r.Events.drainStarted(s.node)
	}
	return ignoreNodeNotFound(err)
}

// sendDrain sends the drain, and notes that Nomad was asked and has accepted it. It returns false if nothing was sent.
func (r *Reconciler) sendDrain(ctx context.Context, s *scope) (sent bool, err error) {
	ask := drainRequest(s)
	stops := ask.Deadline() < 0
	if stops {
		r.noteAskedToStop(s)
	}
	sent, err = s.link.Cluster.Drain(ctx, s.node.Spec.NodeID, ask)
	switch {
	case errors.Is(err, nomad.ErrNodeEligible): // the view may be older
		return false, nil
	case err != nil:
		if _, waits := errors.AsType[*nomad.BusyError](err); stops && !waits {
			r.noteRefusedToStop(s)
		}
		return sent, err
	}
	// If nothing was sent, Nomad has it, though its list may not show it yet.
	r.noteAccepted(s.node, func(a *accepted, now time.Time) {
		a.drain = a.drain.At(now)
		if stops {
			a.stop.Accepted = now
		}
	})
	return sent, nil
}

// noteAskedToStop notes when Nomad was asked first to stop what is left at the deadline.
func (r *Reconciler) noteAskedToStop(s *scope) {
	r.noteFirst(s, func(a *accepted) *time.Time { return &a.stop.Asked })
}

// noteRefusedToStop notes when Nomad first didn't stop what is left at the deadline, though it was asked to.
func (r *Reconciler) noteRefusedToStop(s *scope) {
	r.noteFirst(s, func(a *accepted) *time.Time { return &a.stop.Refused })
}

// noteFirst notes the time as that of something, unless that has a time since the deadline.
func (r *Reconciler) noteFirst(s *scope, of func(*accepted) *time.Time) {
	r.noteAccepted(s.node, func(a *accepted, now time.Time) {
		if at := of(a); at.Before(s.node.Spec.Drain.DeadlineTime.Time) {
			*at = now
		}
	})
}

// stillLeft asks Nomad's leader if a drain that is complete has left something running, because the list may be older.
// It returns true if the drain is to be sent.
func (r *Reconciler) stillLeft(ctx context.Context, s *scope, out *member.Outcome) (bool, error) {
	if !member.LeavesRunning(s.observed) {
		return true, nil
	}
	in, err := r.inspect(ctx, s, out)
	if err != nil || out.Nomad != nil { // or the node is external
		return false, err
	}
	fresh := s.observed
	fresh.Nomad = byInspection(s, in)
	if in.Found && member.Overruns(fresh) {
		return true, nil
	}
	r.noteAskedToStop(s)
	r.noteRefusedToStop(s)
	out.RetryAfter = viewRetry // the view catches up in a moment
	return false, nil
}

// byInspection is a member's node as Nomad's leader has it.
func byInspection(s *scope, in nomad.Inspection) nodestate.Nomad {
	seen := nomadlink.NodeOf(s.node, in.Node)
	seen.StopTime, seen.Live, seen.LiveKnown = s.observed.Nomad.StopTime, memberAllocations(in.Live), true
	return seen
}

// othersDrain asks Nomad's leader if somebody else's drain still runs, where only for that what is left on the node has
// had its time. It returns true if the member is to be drained.
func (r *Reconciler) othersDrain(ctx context.Context, s *scope, out *member.Outcome) (bool, error) {
	if !member.OnlyByOthers(s.observed) {
		return true, nil
	}
	return r.confirmOverdue(ctx, s, false, out)
}

// recheck asks Nomad's leader once more before a drain: for the node first, then for its allocations, so that none can
// have been placed in between. It returns true if the member is to be drained.
func (r *Reconciler) recheck(ctx context.Context, s *scope, out *member.Outcome) (bool, error) {
	conditional := member.Rechecks(s.observed)
	if !conditional && nodestate.Of(s.node).Cordoned() {
		return true, nil
	}
	in, err := r.inspect(ctx, s, out)
	if err != nil || out.Nomad != nil { // or the node is external
		return false, err
	}
	if conditional {
		fresh := s.observed
		fresh.Nomad = nodestate.Nomad{Known: true}
		if in.Found {
			fresh.Nomad = nomadlink.NodeOf(s.node, in.Node)
		}
		if member.Rechecks(fresh) { // it hasn't gone down, and no other replica has sent the drain
			return r.stillEmpty(ctx, s, in, out)
		}
	}
	if in.Found && in.Node.Eligible { // the view is older than the end of an earlier cancellation
		return true, r.writeCordonedDrain(ctx, s, out)
	}
	return true, nil
}

// stillEmpty cancels a drain request that holds only for an empty member, if the member isn't empty. It was empty when
// the pool chose it, but its node took work until it was made ineligible. It returns true if the member is to be
// drained.
func (r *Reconciler) stillEmpty(ctx context.Context, s *scope, in nomad.Inspection, out *member.Outcome) (bool, error) {
	if in.Node.Eligible {
		return false, r.cordon(ctx, s, member.Decision{}, out)
	}
	running, busy := member.RunningAllocation(memberAllocations(in.Live), s.node.Spec.Drain.OnlyIf)
	if !busy {
		return true, nil
	}
	if err := r.patchNode(ctx, s, func(n *v1alpha1.NomadNode) { n.Spec.Drain.Cancel(s.observed.Now) }); err != nil {
		return false, err
	}
	r.Events.drainCanceledNotEmpty(s.node, running.Name)
	return false, nil
}

// resendDrain sends a stalled drain again, and then records that. After a crash in between the drain is resent twice,
// which does no harm: the deadline doesn't move later. In the other order a drain that wasn't resent would stay so.
func (r *Reconciler) resendDrain(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	if latest, err := r.upToDate(ctx, s); err != nil || !latest {
		return err
	}
	err := ignoreNodeNotFound(s.link.Cluster.ResendDrain(ctx, s.node.Spec.NodeID, drainRequest(s)))
	if errors.Is(err, nomad.ErrNotDraining) { // it has ended; the view catches up in a moment
		out.RetryAfter = viewRetry
		return nil
	}
	if err != nil {
		return err
	}
	err = r.writeFact(ctx, s, out, func(st *v1alpha1.NomadNodeStatus) { st.ResentDrain = s.node.Spec.Drain.ID })
	if err != nil {
		return err
	}
	r.Events.drainResent(s.node)
	return nil
}

// purge removes the node from Nomad, if it is there. The view still shows it for a moment after it has gone.
func (r *Reconciler) purge(ctx context.Context, s *scope, _ member.Decision, out *member.Outcome) error {
	purged, err := r.purgeOwned(ctx, s, out)
	if err != nil || !purged {
		out.RetryAfter = viewRetry
		return err
	}
	out.Purged = true
	return nil
}

func drainRequest(s *scope) nomad.DrainOptions {
	p, in, now := s.node.Spec.ScaleIn.Drain, s.node.Spec.Drain, nodestate.Of(s.node)
	return nomad.DrainOptions{
		DrainID:          in.ID,
		Remaining:        in.DeadlineTime.Sub(s.observed.Now),
		NoDeadline:       now.DrainOnTimeout() == v1alpha1.DrainRetain,
		IgnoreSystemJobs: p.IgnoreSystemJobs,
		LeftRunning:      member.LeavesRunning(s.observed),
		OnlyIneligible:   !now.Cordoned(), // an operator may have made it eligible since the observation
		Pool:             s.node.Namespace + "/" + s.node.Spec.PoolName,
		Member:           s.node.Name,
	}
}

// ignoreNodeNotFound ignores that Nomad doesn't know the node: then nothing is left to do.
func ignoreNodeNotFound(err error) error {
	if errors.Is(err, nomad.ErrNodeNotFound) {
		return nil
	}
	return err
}
