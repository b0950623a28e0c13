package gc

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// asksPerRun bounds for how many nodes each Nomad is asked in one run. An Inspect takes a few requests, and a Nomad
// that many controllers share may have thousands of nodes that are down.
const asksPerRun = 100

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
	for cluster, down := range o.down.of {
		for _, id := range down {
			if !o.NodeIDs[id] {
				q := question{cluster, id}
				answers[q] = s.answers[q]
			}
		}
	}
	s.ask(ctx, o, answers)
	s.answers = answers
	for q, a := range answers {
		// A client whose name isn't its member's was configured by somebody else as well.
		n := a.node
		if n == nil || n.Status != nomad.NodeDown || n.Name != n.Member {
			continue
		}
		if p := o.pools[n.PoolUID]; p != nil && o.uses[n.PoolUID] == q.cluster {
			key := orphan.Key{Namespace: p.Namespace, Name: q.id}
			o.clusters[key] = q.cluster
			o.Resources = append(o.Resources, orphan.Resource{
				Kind: orphan.ClientNode, Key: key, Member: n.Member, PoolUID: n.PoolUID, NotAsked: a.answered.Before(o.Now),
				Secret: blueprint.SecretName(blueprint.Member{Name: n.Member, NodeID: q.id})})
		}
	}
	return nil
}

// ask updates the answers, of all clusters at the same time.
func (s *Collector) ask(ctx context.Context, o *scope, answers map[question]answer) {
	var (
		due byCluster[question]
		mu  sync.Mutex
		all []found
	)
	for _, cluster := range o.down.clusters {
		for _, id := range o.down.of[cluster] {
			if q := (question{cluster, id}); !o.NodeIDs[id] {
				due.add(cluster, q)
			}
		}
	}
	o.unseen = append(o.unseen, inEach(ctx, s.Each, due, func(ctx context.Context, questions []question) error {
		found, err := asked(ctx, o.Now, questions, answers)
		mu.Lock()
		defer mu.Unlock()
		all = append(all, found...)
		return err
	})...)
	for _, f := range all {
		answers[f.question] = f.answer
	}
}

// asked asks one cluster. If that doesn't answer once, it isn't asked again in this run, and its earlier answers stay:
// one node for which it can't answer must not restart the grace period of the others.
func asked(ctx context.Context, now time.Time, due []question, answers map[question]answer) ([]found, error) {
	slices.SortFunc(due, func(a, b question) int {
		return cmp.Or(answers[a].asked.Compare(answers[b].asked), cmp.Compare(a.id, b.id))
	})
	var out []found
	for _, q := range due[:min(len(due), asksPerRun)] {
		in, err := q.cluster.Inspect(ctx, q.id)
		a := answers[q]
		a.asked = now
		switch {
		case err != nil:
			return append(out, found{q, a}), fmt.Errorf("asking Nomad for node %s: %w", q.id, err)
		case in.Found:
			a.answered, a.node = now, &in.Node
		default:
			a.answered, a.node = now, nil
		}
		out = append(out, found{q, a})
	}
	return out, nil
}

// found is what a cluster has answered in this run.
type found struct {
	question
	answer
}
