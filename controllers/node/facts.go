package node

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// factsFor is for how long what a template refers to is taken to be as it was. Many members are made of one template at
// the same time, and each would read the same images, networks and Secrets.
const factsFor = 2 * time.Second

// factsCache remembers what the templates of revisions refer to, where the pre-flight found nothing wrong with it.
type factsCache struct {
	mu      sync.Mutex
	entries map[revision]gathered
}

// revision is what members of the same template have in common.
type revision struct{ namespace, poolUID, revision string }

type gathered struct {
	facts blueprint.Facts
	at    time.Time
}

func revisionOf(n *v1alpha1.NomadNode) revision {
	return revision{n.Namespace, n.Spec.PoolUID, n.Spec.Revision}
}

// get returns what is remembered for a member's template.
func (c *factsCache) get(n *v1alpha1.NomadNode, now time.Time) (blueprint.Facts, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	g, ok := c.entries[revisionOf(n)]
	if !ok || now.Sub(g.at) >= factsFor {
		return blueprint.Facts{}, false
	}
	// What was copied before the member was made isn't for it: a Secret may have been changed, and the member be made for
	// that. Kubernetes has whole seconds, so it may have been made a second later than it says.
	return g.facts, !copied(g.facts) || !g.at.Before(n.CreationTimestamp.Add(time.Second))
}

// copied is true if something of what was read goes into the member as it was. All else is named by its name.
func copied(f blueprint.Facts) bool {
	return len(f.Secrets) > 0 || len(f.KeyPairs) > 0 || f.From != nil
}

func (c *factsCache) put(n *v1alpha1.NomadNode, f blueprint.Facts, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entries == nil {
		c.entries = map[revision]gathered{}
	}
	maps.DeleteFunc(c.entries, func(_ revision, g gathered) bool { return now.Sub(g.at) >= factsFor })
	c.entries[revisionOf(n)] = gathered{f, now}
}

// observeTemplate runs the pre-flight for a member that is to be made.
func (r *Reconciler) observeTemplate(ctx context.Context, s *scope) error {
	now := s.observed.Now
	if facts, ok := r.facts.get(s.node, now); ok {
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
	r.facts.put(s.node, facts, now)
	return nil
}
