package sim

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	// fleetQuiet is for how long nothing is written once nothing is left to do.
	fleetQuiet = 2 * time.Minute
	// fleetIdle is for how long a fleet at rest is watched.
	fleetIdle = 10 * time.Minute
	// fleetMost is how long a scene takes at most.
	fleetMost = 12 * time.Hour
	// fleetEvery is which pools an autoscaler or a rollout changes: one of so many.
	fleetEvery = 10
)

// Scene is what a controller did from a change until nothing was left to do.
type Scene struct {
	Name string
	// Members are those that the change concerns.
	Members int
	// Took is the virtual time until the last write.
	Took time.Duration
	// Writes and Reads are requests to the API server, and MostWrites how many writes there were in one second at most.
	Writes, Reads, MostWrites int
	// Nomad is how many requests both Nomads got, and NomadPerMinute how many in a minute of the scene.
	Nomad          int
	NomadPerMinute float64
	// Pools and Nodes are reconciles of pools and of members.
	Pools, Nodes int
}

// scene is a change, or none.
type scene struct {
	name   string
	change func(*fleet) (members int)
	idle   time.Duration // for how long it is watched; 0: until nothing is left to do
}

var scenes = []scene{
	{name: "all pools grow from 0", change: func(f *fleet) int {
		return f.edit(1, 0, func(p *v1alpha1.NomadNodePool) int { return f.scale(p, f.Members) })
	}},
	{name: "idle", change: func(f *fleet) int { return f.Pools * f.Members }, idle: fleetIdle},
	{name: "the controller is restarted", change: func(f *fleet) int {
		f.w.processes[len(f.w.processes)-1].bury()
		f.w.boot()
		return f.Pools * f.Members
	}, idle: fleetIdle},
	{name: "one pool in ten grows, another shrinks, by a tenth each", change: func(f *fleet) int {
		by := max(f.Members/10, 1)
		return f.edit(fleetEvery, 0, func(p *v1alpha1.NomadNodePool) int { return f.scale(p, f.Members+by) }) +
			f.edit(fleetEvery, 1, func(p *v1alpha1.NomadNodePool) int { return f.scale(p, f.Members-by) })
	}},
	{name: "one pool in ten gets another template, a tenth of it at a time", change: func(f *fleet) int {
		return f.edit(fleetEvery, 2, func(p *v1alpha1.NomadNodePool) int {
			p.Spec.Template.Memory, p.Spec.Rollout.MaxSurge = resource.MustParse("8Gi"), ptr.To(intstr.FromString("10%"))
			return int(p.DesiredReplicas())
		})
	}},
	{name: "all pools shrink to 0", change: func(f *fleet) int {
		return f.edit(1, 0, func(p *v1alpha1.NomadNodePool) int { return f.scale(p, 0) })
	}},
}

// RunFleet runs all scenes, and emits each. It fails if one leaves something else than what was asked for.
func RunFleet(of Fleet, emit func(Scene)) error {
	f := newFleet(of)
	defer func() { f.w.processes[len(f.w.processes)-1].bury() }()
	for _, s := range scenes {
		done, err := f.play(s)
		if err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
		emit(done)
	}
	return nil
}

func (f *fleet) play(s scene) (Scene, error) {
	began := f.w.now
	f.counts, f.quiet = counts{}, began
	members := s.change(f)
	why := "it hasn't come to rest"
	for end := began.Add(fleetMost); why != "" && f.w.now.Before(end); {
		f.w.run(f.w.now.Add(10 * time.Second))
		if v := f.w.checks.violation; v != nil {
			return Scene{}, fmt.Errorf("%s", v)
		}
		if f.w.now.Sub(began) >= s.idle && f.w.now.Sub(f.quiet) >= fleetQuiet {
			why = f.unrest()
		}
	}
	c, lasted := f.counts, f.w.now.Sub(began)
	out := Scene{Name: s.name, Members: members, Took: f.quiet.Sub(began), Writes: c.writes, Reads: c.reads,
		MostWrites: c.mostASecond, Nomad: c.nomad, NomadPerMinute: float64(c.nomad) / lasted.Minutes(),
		Pools: c.poolReconciles, Nodes: c.memberReconciles}
	if why != "" {
		return out, fmt.Errorf("after %s %s", lasted, why)
	}
	return out, nil
}

// edit changes every nth pool, beginning with one of the first, and returns how many members that concerns.
func (f *fleet) edit(nth, begin int, how func(*v1alpha1.NomadNodePool) int) (members int) {
	for i := begin; i < f.Pools; i += nth {
		change(f.w.store, f.pool(i), func(p *v1alpha1.NomadNodePool) { members += how(p) })
	}
	return members
}

// pool is the ith pool as it is now; nobody deletes any.
func (f *fleet) pool(i int) *v1alpha1.NomadNodePool {
	return f.w.store.get(id{kindPool, namespace, poolOfFleet(i)}).(*v1alpha1.NomadNodePool)
}

// scale changes a pool's replicas, and returns by how many.
func (f *fleet) scale(p *v1alpha1.NomadNodePool, to int) int {
	by := to - int(p.DesiredReplicas())
	p.Spec.Replicas = ptr.To(int32(to))
	return max(by, -by)
}

// unrest says what isn't as it was asked for, or is left over; empty: nothing.
func (f *fleet) unrest() string {
	w, of, members := f.w, map[string]int{}, 0
	revisions := map[string]string{}
	for i := range f.Pools {
		p := f.pool(i)
		revisions[p.Name] = revisionOf(p)
	}
	for _, o := range w.store.all(kindNode) {
		n := o.(*v1alpha1.NomadNode)
		if leaving(n) || !meta.IsStatusConditionTrue(n.Status.Conditions, v1alpha1.NodeReady) ||
			n.Spec.Revision != revisions[n.Spec.PoolName] {
			return "member " + n.Name + " leaves, isn't ready or is outdated"
		}
		of[n.Spec.PoolName]++
	}
	for i := range f.Pools {
		p := f.pool(i)
		want := int(p.DesiredReplicas())
		if of[p.Name] != want || int(p.Status.ReadyReplicas) != want {
			return fmt.Sprintf("pool %s has %d members, and says that %d are ready, of %d", p.Name, of[p.Name],
				p.Status.ReadyReplicas, want)
		}
		members += want
	}
	for _, kind := range []string{kindVM, kindInstance, kindSecret, kindClaim} {
		if n := len(w.store.ofKind(kind).order); n != members {
			return fmt.Sprintf("there are %d of %s for %d members", n, kind, members)
		}
	}
	return f.unrestInNomad(members)
}

// unrestInNomad says what Nomad has otherwise than it should for so many members; empty: nothing.
func (f *fleet) unrestInNomad(members int) string {
	ready, nodes := 0, f.w.nodes()
	for _, x := range nodes {
		if x.owned && x.status == nomad.NodeReady && x.eligible {
			ready++
		}
	}
	if all := len(nodes) - len(f.w.nomads()); ready != members || all != members {
		return fmt.Sprintf("%d nodes of %d are ready in Nomad, for %d members", ready, all, members)
	}
	return ""
}
