package controllers

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// introductionTTL is as long as a server allows by default (Nomad: client_introduction.max_identity_ttl): a VM that boots
// later than that can't join under strict introduction.
const introductionTTL = 30 * time.Minute

func (r *NomadNodeReconciler) introductionToken(ctx context.Context, s *nodeScope) (string, error) {
	c := s.node.Spec.Client
	mode := c.IntroductionToken
	if mode == v1alpha1.IntroductionNever || s.link.Cluster == nil || (mode != v1alpha1.IntroductionAlways && !s.link.Known) {
		return "", nil
	}
	nodePool := c.NodePool
	if nodePool == "" {
		nodePool = "default"
	}
	token, supported, err := s.link.Cluster.IntroductionToken(ctx, s.node.Name, nodePool, introductionTTL)
	switch {
	case err != nil:
		return "", fmt.Errorf("getting an introduction token: %w", err)
	case !supported && mode == v1alpha1.IntroductionAlways:
		return "", errors.New("spec.nomad.introductionToken is Always, but the Nomad servers don't have introduction tokens (Nomad 1.11 and later); use Auto")
	default:
		return token, nil
	}
}

func (r *NomadNodeReconciler) cordon(ctx context.Context, s *nodeScope, _ member.Decision) error {
	return gone(s.link.Cluster.Cordon(ctx, s.node.Spec.NodeID))
}

func (r *NomadNodeReconciler) rescue(ctx context.Context, s *nodeScope, _ member.Decision) error {
	err := gone(s.link.Cluster.Uncordon(ctx, s.node.Spec.NodeID))
	if err == nil {
		r.Events.drainCanceled(s.node)
	}
	return err
}

func (r *NomadNodeReconciler) drain(ctx context.Context, s *nodeScope, _ member.Decision) error {
	sent, err := s.link.Cluster.Drain(ctx, s.node.Spec.NodeID, drainRequest(s))
	if sent {
		r.Events.drainStarted(s.node)
	}
	return gone(err)
}

// kick sends a stalled drain again. That it is about to be sent is written first: a drain is kicked once, whatever
// happens in between.
func (r *NomadNodeReconciler) kick(ctx context.Context, s *nodeScope, _ member.Decision) error {
	before := s.node.DeepCopy()
	s.node.Status.KickedDrain = s.node.Spec.Drain.ID
	if err := r.Client.Status().Patch(ctx, s.node, client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})); err != nil {
		s.node = before
		return err
	}
	err := s.link.Cluster.KickDrain(ctx, s.node.Spec.NodeID, drainRequest(s))
	if err == nil {
		r.Events.drainKicked(s.node)
	}
	return gone(err)
}

func (r *NomadNodeReconciler) purge(ctx context.Context, s *nodeScope, _ member.Decision) error {
	err := s.link.Cluster.Purge(ctx, s.node.Spec.NodeID)
	if err == nil {
		r.Events.purged(s.node)
	}
	return err
}

func drainRequest(s *nodeScope) nomad.DrainRequest {
	p, in := s.node.Spec.DrainPolicy, s.node.Spec.Drain
	return nomad.DrainRequest{
		IntentID:         in.ID,
		Remaining:        in.Deadline.Sub(s.observed.Now),
		NoDeadline:       p.OnTimeout == v1alpha1.DrainRetain && in.Reason != v1alpha1.DrainVMDeleted,
		IgnoreSystemJobs: p.IgnoreSystemJobs,
		Pool:             s.node.Namespace + "/" + s.node.Spec.PoolName,
		Member:           s.node.Name,
	}
}

// gone takes a node that Nomad doesn't know for done.
func gone(err error) error {
	if errors.Is(err, nomad.ErrNodeNotFound) {
		return nil
	}
	return err
}
