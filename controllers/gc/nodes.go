package gc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// asksPerRun bounds for how many nodes each Nomad is asked in one run. An Inspect takes a few requests, and a Nomad
// that many controllers share may have thousands of nodes that are down.
const asksPerRun = 100

// downNode is a Nomad node that is down, of a cluster that a pool belongs to.
type downNode struct {
	pool    *v1alpha1.NomadNodePool
	cluster nomad.Cluster
	id      string
}

// question names a node of a cluster: two clusters may have nodes of the same ID.
type question struct {
	cluster nomad.Cluster
	id      string
}

// answer is what Nomad reported last of a node.
type answer struct {
	asked    time.Time   // when it was last asked; zero: never
	answered time.Time   // when it last answered; zero: never
	node     *nomad.Node // nil: it has none of the ID, or has never answered
}

// observeNodes asks Nomad for the identity of the nodes whose ID no member has. It begins with those for which it asked
// the longest ago. For nodes that it doesn't ask for, the earlier answers count.
func (s *Collector) observeNodes(ctx context.Context, o *scope) error {
	answers := map[question]answer{} // drops the answers of nodes that are no longer down
	for _, d := range o.down {
		if !o.NodeIDs[d.id] {
			q := question{d.cluster, d.id}
			answers[q] = s.answers[q]
		}
	}
	o.ask(ctx, answers)
	s.answers = answers
	for _, d := range o.down {
		a := answers[question{d.cluster, d.id}]
		// A client whose name isn't its member's was configured by somebody else as well.
		if n := a.node; n != nil && n.Status == nomad.NodeDown && n.PoolUID == string(d.pool.UID) && n.Name == n.Member {
			key := orphan.Key{Namespace: d.pool.Namespace, Name: d.id}
			o.clusters[key] = d.cluster
			o.Resources = append(o.Resources, orphan.Resource{
				Kind: orphan.ClientNode, Key: key, Member: n.Member, PoolUID: n.PoolUID, NotAsked: a.answered.Before(o.Now),
				Secret: blueprint.SecretName(blueprint.Member{Name: n.Member, NodeID: d.id})})
		}
	}
	return nil
}

// ask updates the answers. A cluster that didn't answer once isn't asked again in this run, and its earlier answers
// stay: one node for which it can't answer must not restart the grace period of the others.
func (o *scope) ask(ctx context.Context, answers map[question]answer) {
	var due []question
	for q := range answers {
		due = append(due, q)
	}
	slices.SortFunc(due, func(a, b question) int {
		return cmp.Or(answers[a].asked.Compare(answers[b].asked), cmp.Compare(a.id, b.id))
	})
	unreachable, asked := map[nomad.Cluster]bool{}, map[nomad.Cluster]int{}
	for _, q := range due {
		if unreachable[q.cluster] || asked[q.cluster] == asksPerRun {
			continue
		}
		asked[q.cluster]++
		in, err := q.cluster.Inspect(ctx, q.id)
		a := answers[q]
		a.asked = o.Now
		switch {
		case err != nil:
			o.unseen, unreachable[q.cluster] = append(o.unseen, fmt.Errorf("asking Nomad for node %s: %w", q.id, err)), true
		case in.Found:
			a.answered, a.node = o.Now, &in.Node
		default:
			a.answered, a.node = o.Now, nil
		}
		answers[q] = a
	}
}
