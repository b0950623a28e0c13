package pool

import (
	"context"
	"fmt"
	"maps"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
)

// scope is one pool in one reconcile: what was read, and what follows from it.
type scope struct {
	pool *v1alpha1.NomadNodePool
	// members are the cache's own, which nobody may change, until applyFresh has read them anew.
	members  map[string]*v1alpha1.NomadNode
	places   map[string]place // of the members, by name
	link     nomadlink.Link
	snapshot pool.Snapshot
	scale    *v1alpha1.ScaleChange // the last change of replicas
	nomad    *v1alpha1.PoolNomadStatus
	// proven is true if the pool's servers are known to lead to where its connection leads to.
	proven bool
	// unresolved is why the Harvester template that the pool names can't be used; empty: it names none, or it can.
	unresolved []condition.Problem
	// facts is what the template refers to; empty: the pre-flight had no reason to look.
	facts blueprint.Facts
	// nextOrdinal numbers the next member to be made.
	nextOrdinal int64
}

// observe makes the state of a pool and its members: of what the cache shows, or, live, of what the API server has.
func (r *Reconciler) observe(ctx context.Context, p *v1alpha1.NomadNodePool, live bool) (*scope, error) {
	s := &scope{pool: p, members: map[string]*v1alpha1.NomadNode{}, places: map[string]place{}}
	link, err := r.Connections.Link(ctx, p, p.Spec.Nomad)
	if err != nil {
		return nil, err
	}
	s.link = link
	s.snapshot = pool.Snapshot{Now: r.Clock.Now(), Replicas: int(p.DesiredReplicas()), Paused: p.Spec.Paused,
		Deleting: p.DeletionTimestamp != nil, ScaleIn: p.Spec.ScaleIn, Rollout: p.Spec.Rollout, Health: p.Spec.Health,
		NomadRecovered: link.View.RecoveredSince, NomadKnown: link.Known, NomadNotAsked: link.NotAsked,
		Servers: p.Spec.Nomad.Servers, NomadLeader: link.View.Leader, NomadMisconfigured: link.Misconfigured,
		NomadReason: link.Reason, NomadMessage: link.Message, WithoutTLS: p.Spec.Nomad.ClientTLSSecretRef == nil}
	if s.snapshot.Deleting && !slices.Contains(p.Finalizers, metav1.FinalizerDeleteDependents) {
		s.snapshot.KeptBy = slices.DeleteFunc(slices.Clone(p.Finalizers), func(f string) bool {
			return f == metav1.FinalizerOrphanDependents
		})
	}
	s.scale = lastScale(p, s.snapshot.Now)
	s.snapshot.LastScale, s.snapshot.LastDown = s.scale.ScaleTime.Time, nodestate.TimeOf(s.scale.DownTime)
	if err := r.resolveTemplate(ctx, s); err != nil {
		return nil, err
	}
	if err := r.observeMembers(ctx, s, live); err != nil {
		return nil, err
	}
	s.nomad = nomadStatus(s)
	s.snapshot.Suspension = suspensionOf(p.Status.Suspension)
	s.snapshot = s.snapshot.Resumed()
	if err := r.observeHosts(ctx, s, live); err != nil {
		return nil, err
	}
	s.snapshot.Suspension = s.snapshot.Suspension.Update(s.snapshot)
	s.snapshot = s.snapshot.Resumed()
	observeJoins(s)
	if err := r.observeTemplate(ctx, s); err != nil {
		return nil, err
	}
	r.observeUsage(ctx, s)
	return s, r.observeQuota(ctx, s)
}

func (r *Reconciler) observeMembers(ctx context.Context, s *scope, live bool) error {
	list := r.cachedMembers
	if live {
		list = r.liveMembers
	}
	members, err := list(ctx, s.pool)
	if err != nil {
		return fmt.Errorf("listing the members: %w", err)
	}
	s.proven = s.provenHere(members)
	for i := range members {
		n := &members[i]
		at, err := r.placeOf(ctx, s, n)
		if err != nil {
			return err
		}
		s.members[n.Name], s.places[n.Name] = n, at
	}
	s.snapshot.ServersLeadTo = ledAstray(s)
	s.follow()
	for i := range members {
		s.snapshot.Members = append(s.snapshot.Members, s.memberOf(&members[i]))
	}
	made := func(name string) bool { return s.members[name] != nil }
	s.nextOrdinal = pool.NextOrdinal(s.pool.Name, string(s.pool.UID), s.pool.Status.NextOrdinal, made)
	return nil
}

// memberOf is what the pool knows of a member. A Nomad that can't be asked can't tell that it is elsewhere. One that is
// where the pool's servers lead to isn't replaced for that: the next one would join that Nomad as well.
func (s *scope) memberOf(n *v1alpha1.NomadNode) pool.Member {
	at := s.places[n.Name]
	m := memberFacts(n, at.link, s.snapshot.Now)
	lost := nomadlink.Seen(n) && at.link.Known != s.link.Known // the controller's own address leads elsewhere
	m.Elsewhere = (at.away || lost) && s.link.Known &&
		(s.snapshot.ServersLeadTo == "" || !s.hasServers(n))
	return m
}

// observeTemplate runs the pre-flight when members are to be made, and until the template has been found valid.
func (r *Reconciler) observeTemplate(ctx context.Context, s *scope) error {
	if s.snapshot.Problems = s.unresolved; len(s.unresolved) > 0 {
		return nil
	}
	checked := s.pool.Status.ObservedGeneration == s.pool.Generation && s.pool.Status.Revision == s.snapshot.Revision &&
		isTrue(s.pool, v1alpha1.PoolTemplateValid)
	if s.snapshot.Deleting || checked && !pool.MakesMembers(s.snapshot) {
		return nil
	}
	facts, err := preflight.Gather(ctx, r.Live, s.pool.Namespace, &s.pool.Spec.Template, &s.pool.Spec.Nomad.NomadClient)
	if err != nil {
		return err
	}
	facts.Now, facts.Region = s.snapshot.Now, s.pool.Spec.Nomad.Region
	s.facts = facts
	s.snapshot.Problems = preflight.Check(&s.pool.Spec.Template, &s.pool.Spec.Nomad.NomadClient, facts)
	return nil
}

// observeUsage asks Nomad how busy the members are, if some are about to be chosen. Without an answer none is chosen.
// Each is asked for where it is, as far as that can be asked.
func (r *Reconciler) observeUsage(ctx context.Context, s *scope) {
	if !pool.NeedsUsage(s.snapshot) {
		return
	}
	clusters, in := map[string]nomad.Cluster{}, map[string][]string{}
	for name, n := range s.members {
		link := s.places[name].link
		if _, ok := link.View.Nodes[n.Spec.NodeID]; ok && link.Known {
			clusters[link.Where], in[link.Where] = link.Cluster, append(in[link.Where], n.Spec.NodeID)
		}
	}
	usage := map[string]nomad.Usage{}
	for _, where := range slices.Sorted(maps.Keys(in)) {
		slices.Sort(in[where])
		of, err := clusters[where].Usage(ctx, in[where])
		if err != nil {
			// The text of the error differs each time; in a condition it would be written each time.
			log.FromContext(ctx).Info("Nomad doesn't tell how busy the members are", "error", err.Error())
			s.snapshot.NomadKnown, s.snapshot.UsageUnknown = false, true
			s.snapshot.NomadMessage = "Nomad doesn't tell how busy the members are, so none can be chosen to leave; " +
				"see the controller's log."
			return
		}
		maps.Copy(usage, of)
	}
	s.snapshot.Usage = map[string]pool.Usage{}
	for name, n := range s.members {
		if u, ok := usage[n.Spec.NodeID]; ok {
			s.snapshot.Usage[name] = pool.Usage{Load: load(u, s.places[name].link.View.Nodes[n.Spec.NodeID]),
				Allocations: u.Allocations, System: u.SystemAllocations}
		}
	}
}

func load(u nomad.Usage, n nomad.Node) float64 {
	if n.CPU <= 0 || n.MemoryMB <= 0 {
		return 0
	}
	return (float64(u.CPU)/float64(n.CPU) + float64(u.MemoryMB)/float64(n.MemoryMB)) / 2
}
