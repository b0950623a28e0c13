package sim

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// moveMutants mistake in which Nomad a member is when its pool has been moved to another.
func moveMutants() []Mutation {
	reads := func(name string, change func(*Environment, *v1alpha1.NomadNode, v1alpha1.NomadSpec)) Mutation {
		return Mutation{Name: name,
			Client: func(p *process, c client.Client) client.Client { return misreads{c, p, change} }}
	}
	clusterOf := func(name string, f func(misled) nomad.Cluster) Mutation {
		return Mutation{Name: name, Cluster: func(p *process, c nomad.Cluster) nomad.Cluster { return f(misled{c, p}) }}
	}
	return []Mutation{
		reads("ask for a member where its pool leads to", func(_ *Environment, n *v1alpha1.NomadNode, of v1alpha1.NomadSpec) {
			n.Spec.Nomad.NomadConnection = of.NomadConnection
		}),
		reads("have guests join the servers of the pool", func(_ *Environment, n *v1alpha1.NomadNode, of v1alpha1.NomadSpec) {
			n.Spec.Nomad.Servers = slices.Clone(of.Servers)
		}),
		reads("believe a Nomad that a member never joined", forgetCluster),
		reads("ask for a member where its pool leads to alone",
			func(_ *Environment, n *v1alpha1.NomadNode, _ v1alpha1.NomadSpec) { n.Spec.FormerNomad = nil }),
		{Name: "believe that servers lead to where the address does",
			Client: func(_ *process, c client.Client) client.Client { return believing{c} },
			Live:   func(_ client.Client, r client.Reader) client.Reader { return believingReader{r} }},
		poolSees("judge members in another Nomad by the pool's", func(s *pool.Snapshot) {
			for i := range s.Members {
				m := &s.Members[i]
				m.NomadUnknown, m.NomadRecovered = false, s.NomadRecovered
			}
		}),
		clusterOf("take members for empty that the pool's Nomad doesn't know",
			func(m misled) nomad.Cluster { return inspectsThere{m} }),
		clusterOf("choose members in another Nomad by an old view",
			func(m misled) nomad.Cluster { return agelessElsewhere{m} }),
		clusterOf("drain members in the pool's Nomad", func(m misled) nomad.Cluster { return drainsThere{m} }),
		clusterOf("purge members in the pool's Nomad", func(m misled) nomad.Cluster { return purgesThere{m} }),
	}
}

// forgetCluster forgets in which Nomad a member was seen, when its address leads to another.
func forgetCluster(w *Environment, n *v1alpha1.NomadNode, _ v1alpha1.NomadSpec) {
	if w.at(n.Spec.Nomad.Address) != w.joinedBy(n.Spec.Nomad.Servers) {
		n.Status.Nomad.Cluster = ""
	}
}

// misreads reads of members something else than what they say, such as what their pools say now.
type misreads struct {
	client.Client
	p      *process
	change func(*Environment, *v1alpha1.NomadNode, v1alpha1.NomadSpec)
}

// Get reads the pool as well.
func (r misreads) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	err := r.Client.Get(ctx, key, o, opts...)
	if n, ok := o.(*v1alpha1.NomadNode); ok && err == nil {
		p := &v1alpha1.NomadNodePool{}
		of := client.ObjectKey{Namespace: key.Namespace, Name: n.Spec.PoolName}
		if r.Client.Get(ctx, of, p) == nil {
			r.change(r.p.w, n, p.Spec.Nomad)
		}
	}
	return err
}

// believing reads of each pool that its servers led to where its connection leads to.
type believing struct{ client.Client }

// Get reads.
func (b believing) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	return believe(o, b.Client.Get(ctx, key, o, opts...))
}

type believingReader struct{ client.Reader }

// Get reads.
func (b believingReader) Get(ctx context.Context, key client.ObjectKey, o client.Object,
	opts ...client.GetOption) error {
	return believe(o, b.Reader.Get(ctx, key, o, opts...))
}

func believe(o client.Object, err error) error {
	if p, ok := o.(*v1alpha1.NomadNodePool); ok && p.Status.Nomad != nil {
		p.Status.Nomad.NomadConnection = p.Spec.Nomad.NomadConnection
	}
	return err
}

// misled leads some requests for a member to the Nomad that the pool leads to.
type misled struct {
	nomad.Cluster
	p *process
}

func (m misled) there() nomad.Cluster {
	if p, ok := m.p.cache.kinds[kindPool].objects[id{kindPool, namespace, poolName}].(*v1alpha1.NomadNodePool); ok {
		return m.p.to(m.p.w.at(p.Spec.Nomad.Address))
	}
	return m.Cluster
}

// agelessElsewhere takes each view of a Nomad that the pool doesn't lead to for new, as long as that Nomad answers.
type agelessElsewhere struct{ misled }

// View was taken just now.
func (a agelessElsewhere) View() nomad.View {
	if a.there() == a.Cluster {
		return a.Cluster.View()
	}
	return ageless{a.Cluster}.View()
}

type inspectsThere struct{ misled }

// Inspect asks there.
func (i inspectsThere) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	return i.there().Inspect(ctx, nodeID)
}

type drainsThere struct{ misled }

// Drain sends there.
func (d drainsThere) Drain(ctx context.Context, nodeID string, r nomad.DrainOptions) (bool, error) {
	return d.there().Drain(ctx, nodeID, r)
}

type purgesThere struct{ misled }

// Purge purges there.
func (p purgesThere) Purge(ctx context.Context, nodeID string) error {
	return p.there().Purge(ctx, nodeID)
}
