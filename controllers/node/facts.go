package node

import (
	"context"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// revision is what members of the same template have in common.
type revision struct{ namespace, poolUID, revision string }

func revisionOf(n *v1alpha1.NomadNode) revision {
	return revision{n.Namespace, n.Spec.PoolUID, n.Spec.Revision}
}

// factsCache remembers what the templates of revisions refer to, where the pre-flight found nothing wrong with it. Many
// members are made of one template at the same time, and each would read the same images, networks and Secrets.
type factsCache struct {
	kube.Recent[revision, blueprint.Facts]
}

// of returns what is remembered for a member's template.
func (c *factsCache) of(n *v1alpha1.NomadNode, now time.Time) (blueprint.Facts, bool) {
	f, at, ok := c.Get(revisionOf(n), now)
	// What was copied before the member was made isn't for it: a Secret may have been changed, and the member be made for
	// that. Kubernetes has whole seconds, so it may have been made a second later than it says.
	return f, ok && (!copied(f) || !at.Before(n.CreationTimestamp.Add(time.Second)))
}

// copied is true if somebody's text goes into the member as it was read. Of all else only names do, and how a class's
// volumes are used.
func copied(f blueprint.Facts) bool {
	return len(f.Secrets) > 0 || len(f.KeyPairs) > 0 || f.From != nil
}

// observeTemplate runs the pre-flight for a member that is to be made.
func (r *Reconciler) observeTemplate(ctx context.Context, s *scope) error {
	now := s.observed.Now
	if facts, ok := r.facts.of(s.node, now); ok {
		s.facts = facts
		return nil
	}
	facts, err := preflight.Gather(ctx, r.Live, s.node.Namespace, &s.node.Spec.Template, &s.node.Spec.Nomad.NomadClient)
	if err != nil {
		return err
	}
	facts.Now, facts.Region = now, s.node.Spec.Nomad.Region
	s.facts = facts
	if ps := preflight.Check(&s.node.Spec.Template, &s.node.Spec.Nomad.NomadClient, s.facts); len(ps) > 0 {
		s.observed.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate, Problem: ps[0]}
		return nil
	}
	r.facts.Put(revisionOf(s.node), facts, now)
	return nil
}
