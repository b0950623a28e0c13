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

// asksPerLook is for how many nodes each Nomad is asked at one look. An Inspect takes a few requests, and a Nomad
// that many controllers share may have thousands of nodes down, which aren't all of our pools.
const asksPerLook = 100

// downNode is a Nomad node that is down, of a cluster that a pool belongs to.
type downNode struct {
	pool    *v1alpha1.NomadNodePool
	cluster nomad.Cluster
	id      string
}

// question names a node of a cluster: two clusters may say that they have nodes of one ID.
type question struct {
	cluster nomad.Cluster
	id      string
}

// answer is what Nomad said of a node last.
type answer struct {
	asked time.Time   // when it was last asked; zero: never
	told  time.Time   // when it last answered; zero: never
	node  *nomad.Node // nil: it has none of the ID, or has never answered
}

// observeNodes asks Nomad what the nodes say they are that no member has the ID of: those first that it was asked for
// the longest ago. Of the others the earlier answers count.
func (s *Sweeper) observeNodes(ctx context.Context, o *scope) error {
	answers := map[question]answer{} // those that aren't in it any more are forgotten
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
		// One that is called otherwise than its member isn't set up by our cloud-init alone.
		if n := a.node; n != nil && n.Status == nomad.NodeDown && n.PoolUID == string(d.pool.UID) && n.Name == n.Member {
			key := orphan.Key{Namespace: d.pool.Namespace, Name: d.id}
			o.clusters[key] = d.cluster
			o.Resources = append(o.Resources, orphan.Resource{
				Kind: orphan.ClientNode, Key: key, Member: n.Member, PoolUID: n.PoolUID, Unasked: a.told.Before(o.Now),
				Secret: blueprint.SecretName(blueprint.Member{Name: n.Member, NodeID: d.id})})
		}
	}
	return nil
}

// ask gets answers anew. A cluster that gave none once isn't asked again at this look, and what it said before
// stands: one node that it can't answer for mustn't take from the others what they have waited.
func (o *scope) ask(ctx context.Context, answers map[question]answer) {
	var due []question
	for q := range answers {
		due = append(due, q)
	}
	slices.SortFunc(due, func(a, b question) int {
		return cmp.Or(answers[a].asked.Compare(answers[b].asked), cmp.Compare(a.id, b.id))
	})
	silent, asked := map[nomad.Cluster]bool{}, map[nomad.Cluster]int{}
	for _, q := range due {
		if silent[q.cluster] || asked[q.cluster] == asksPerLook {
			continue
		}
		asked[q.cluster]++
		in, err := q.cluster.Inspect(ctx, q.id)
		a := answers[q]
		a.asked = o.Now
		switch {
		case err != nil:
			o.unseen, silent[q.cluster] = append(o.unseen, fmt.Errorf("asking Nomad for node %s: %w", q.id, err)), true
		case in.Found:
			a.told, a.node = o.Now, &in.Node
		default:
			a.told, a.node = o.Now, nil
		}
		answers[q] = a
	}
}
