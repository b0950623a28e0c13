package pool

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// actFor is for how long after the observation drains are canceled: requests may take seconds.
const actFor = 2 * time.Second

// apply does what the plan says. An error with one member doesn't stop the others.
func (r *Reconciler) apply(ctx context.Context, s *scope, plan pool.Plan) (pool.Outcome, error) {
	var errs []error
	out := pool.Outcome{}
	for _, name := range plan.CancelDrains {
		if r.Clock.Now().Sub(s.snapshot.Now) > actFor {
			break // another leader may have made as many members by now; the next reconcile sees that
		}
		errs = append(errs, r.cancelDrain(ctx, s, s.members[name]))
	}
	// All drain requests are written before the members' own reconcilers act on one of them for long: a member waits until
	// the others that leave are ineligible too.
	for _, group := range []struct {
		reason v1alpha1.DrainReason
		names  []string
	}{
		{v1alpha1.DrainScaleIn, plan.Victims}, {v1alpha1.DrainRollout, plan.Outdated},
		{v1alpha1.DrainJoinTimeout, plan.Failed}, {v1alpha1.DrainUnhealthy, plan.Unhealthy},
	} {
		errs = append(errs, r.requestDrains(ctx, s, group.names, group.reason))
	}
	for _, name := range plan.Replace {
		errs = append(errs, r.replace(ctx, s, s.members[name]))
	}
	if plan.Create > 0 {
		made, err := r.create(ctx, s, plan.Create)
		out, errs = made, append(errs, err)
	}
	return out, errors.Join(errs...)
}

func (r *Reconciler) cancelDrain(ctx context.Context, s *scope, n *v1alpha1.NomadNode) error {
	before := n.DeepCopy()
	n.Spec.Drain.Cancel(s.snapshot.Now)
	if err := r.patch(ctx, n, before); err != nil {
		return fmt.Errorf("canceling the drain of %s: %w", n.Name, err)
	}
	r.Events.drainCanceled(s.pool, n)
	return nil
}

// requestsAtOnce is how many drain requests are written at the same time.
const requestsAtOnce = 16

// requestDrains has members leave.
func (r *Reconciler) requestDrains(ctx context.Context, s *scope, names []string, reason v1alpha1.DrainReason) error {
	errs, leaving := make([]error, len(names)), make([]*v1alpha1.NomadNode, len(names))
	failed := r.Each(len(names), requestsAtOnce, func(i int) error { // an error with one doesn't stop the others
		n := s.members[names[i]]
		if errs[i] = r.requestDrain(ctx, s, n, reason); errs[i] == nil {
			leaving[i] = n
		}
		return nil
	})
	leaving = slices.DeleteFunc(leaving, func(n *v1alpha1.NomadNode) bool { return n == nil })
	if reason == v1alpha1.DrainScaleIn && len(leaving) > 0 {
		r.Events.scaleIn(s.pool, leaving)
	}
	return errors.Join(failed, errors.Join(errs...))
}

func (r *Reconciler) requestDrain(ctx context.Context, s *scope, n *v1alpha1.NomadNode,
	reason v1alpha1.DrainReason) error {
	before := n.DeepCopy()
	now := s.snapshot.Now
	n.Spec.Drain = nodestate.NewDrainRequest(r.NewID(), reason, now, now.Add(s.pool.Spec.ScaleIn.Drain.Deadline.Duration))
	if reason == v1alpha1.DrainScaleIn {
		n.Spec.Drain.OnlyIf = pool.OnlyIf(s.snapshot, n.Name)
	}
	if err := r.patch(ctx, n, before); err != nil {
		return fmt.Errorf("requesting the drain of %s: %w", n.Name, err)
	}
	if reason == v1alpha1.DrainRollout && s.places[n.Name].away {
		r.Events.movedOn(s.pool, n)
		return nil
	}
	if reason == v1alpha1.DrainRollout && n.Spec.Revision == s.snapshot.Revision {
		r.Events.aged(s.pool, n)
		return nil
	}
	r.Events.requestDrain(s.pool, n, reason)
	return nil
}

// replace deletes the NomadNode of a member that has no VM; the next reconcile makes another. A VM that was made a
// moment ago may not be in the member's status yet. Then the member stays.
func (r *Reconciler) replace(ctx context.Context, s *scope, n *v1alpha1.NomadNode) error {
	vm := &kubevirtv1.VirtualMachine{}
	switch err := r.Live.Get(ctx, client.ObjectKeyFromObject(n), vm); {
	case client.IgnoreNotFound(err) != nil:
		return fmt.Errorf("replacing %s: %w", n.Name, err)
	case err == nil && nodestate.OwnsVM(n, vm):
		return nil
	}
	if err := r.Client.Delete(ctx, n, kube.Exactly(n.UID)); client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("replacing %s: %w", n.Name, err)
	}
	if nodestate.Of(n).BlockedBy == v1alpha1.BlockedByName {
		r.Events.nameTaken(s.pool, n)
		return nil
	}
	r.Events.replaced(s.pool, n)
	return nil
}

func (r *Reconciler) patch(ctx context.Context, n, before *v1alpha1.NomadNode) error {
	return client.IgnoreNotFound(r.Client.Patch(ctx, n, kube.Locked(before)))
}

// create makes members. Their names follow from their number, so that of two controllers that do this at the same time
// one finds the names taken, and so that a name is never used twice.
func (r *Reconciler) create(ctx context.Context, s *scope, n int) (pool.Outcome, error) {
	var nodes []*v1alpha1.NomadNode
	next := s.nextOrdinal
	for ; len(nodes) < n; next++ {
		name := pool.MemberName(s.pool.Name, string(s.pool.UID), next)
		if s.members[name] == nil { // or it was made before a crash, and counts already
			nodes = append(nodes, newNode(s, name, r.NewID()))
		}
	}
	made := make([]*v1alpha1.NomadNode, n)
	err := r.Each(n, pool.MaxUncounted, func(i int) error {
		switch err := r.Client.Create(ctx, nodes[i]); {
		case apierrors.IsAlreadyExists(err): // by another controller, just now
		case err != nil:
			return fmt.Errorf("creating member %s: %w", nodes[i].Name, err)
		default:
			made[i] = nodes[i]
		}
		return nil
	})
	made = slices.DeleteFunc(made, func(n *v1alpha1.NomadNode) bool { return n == nil })
	if len(made) > 0 {
		r.Events.membersCreated(s.pool, made, pool.Replaced(s.snapshot, len(made)))
		membersCreated.WithLabelValues(s.pool.Namespace, s.pool.Name).Add(float64(len(made)))
	}
	if err == nil {
		return pool.Outcome{NextOrdinal: next}, nil
	}
	r.Events.createFailed(s.pool, err)
	if p := kube.Refusal(err); p != nil {
		p.Reason = v1alpha1.ReasonCreateFailed
		return pool.Outcome{CreateError: p}, err
	}
	return pool.Outcome{}, err
}

func newNode(s *scope, name, nodeID string) *v1alpha1.NomadNode {
	p := s.pool
	n := &v1alpha1.NomadNode{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:  p.Namespace,
			Name:       name,
			Finalizers: []string{v1alpha1.NodeFinalizer},
			OwnerReferences: []metav1.OwnerReference{
				*metav1.NewControllerRef(p, v1alpha1.GroupVersion.WithKind("NomadNodePool")),
			},
		},
		Spec: v1alpha1.NomadNodeSpec{
			PoolName: p.Name, PoolUID: string(p.UID), NodeID: nodeID, Revision: s.snapshot.Revision,
			Nomad: p.Spec.Nomad, Template: p.Spec.Template,
		},
	}
	n.Spec.FormerNomad = s.formerOf(n)
	propagate(p, n)
	return n.DeepCopy() // many members are written at the same time, each with its answer
}

// propagate copies to a member what changes with its pool during the member's life, and puts back the labels by which
// people and their tools find it.
func propagate(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	if n.Labels == nil {
		n.Labels = map[string]string{}
	}
	n.Labels[v1alpha1.PoolLabel], n.Labels[v1alpha1.RevisionLabel] = p.Name, n.Spec.Revision
	n.Spec.ScaleIn.Drain = p.Spec.ScaleIn.Drain
	n.Spec.Health.JoinTimeout = p.Spec.Health.JoinTimeout
	n.Spec.ScaleIn.Purge = p.Spec.ScaleIn.Purge
}

// syncMembers propagates the pool's settings to its members.
func (r *Reconciler) syncMembers(ctx context.Context, s *scope) error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(s.members)) {
		before := s.members[name]
		n := *before // the cache's own, in which only whole fields are replaced
		n.Labels = maps.Clone(before.Labels)
		if n.DeletionTimestamp == nil {
			propagate(s.pool, &n) // the drain policy of a deleted member may have been changed to end its drain
		}
		s.places[name].connect(&n)
		if !equality.Semantic.DeepEqual(before.Spec, n.Spec) || !maps.Equal(before.Labels, n.Labels) {
			errs = append(errs, r.patch(ctx, n.DeepCopy(), before))
		}
	}
	return errors.Join(errs...)
}
