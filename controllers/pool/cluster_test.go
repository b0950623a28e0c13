package pool

import (
	"errors"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	formerAddress = "http://former:4646"
	bootingID     = "99999999-9999-9999-9999-999999999999" // which no Nomad lists
)

// twoNomads are two living clusters, by address and region.
type twoNomads map[string]*nomadStub

func (t twoNomads) Get(c nomad.Connection) nomad.Cluster { return t[c.Address+c.Region] }

// moved is a pool that was led from one living Nomad to another, of which one or the other has the member's node.
func moved(knownHere bool, change func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode)) *fixture {
	is, was := "", ""
	s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		p.Spec.Rollout.MaxSurge, p.Spec.Rollout.MaxUnavailable = new(intstr.FromInt32(0)), new(intstr.FromInt32(1))
		p.Spec.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
		n.Spec.Nomad.NomadConnection, n.Spec.Nomad.NomadClient = v1alpha1.NomadConnection{
			Address: formerAddress}, *p.Spec.Nomad.NomadClient.DeepCopy()
		p.Status.Nomad = ledTo(n.Spec.Nomad.NomadConnection, p)
		change(p, n)
		is, was = p.Spec.Nomad.Address+p.Spec.Nomad.Region, n.Spec.Nomad.Address+n.Spec.Nomad.Region
		revision := blueprint.Revision(&p.Spec.Template, &p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region)
		n.Spec.Revision, p.Status.Revision = revision, revision
		p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.PoolTemplateValid, Status: metav1.ConditionTrue}}
	})
	former := &nomadStub{}
	former.view = s.nomad.view
	if !knownHere {
		s.nomad.view.Nodes = map[string]nomad.Node{}
	} else {
		former.view.Nodes = map[string]nomad.Node{}
	}
	s.Connections.Clusters = twoNomads{was: former, is: s.nomad}
	return s
}

// A pool that is led to another cluster leaves its members in the former one.
func TestMembersStayInTheClusterThatTheyJoined(t *testing.T) {
	// It hasn't registered anywhere, or not so that anybody has seen it.
	never := func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) { n.Status.JoinedTime = nil }
	boots := func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		never(p, n)
		n.Spec.NodeID = bootingID
	}
	for name, c := range map[string]struct {
		here    bool
		change  func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode)
		follows bool
	}{
		"joined there":                     {false, func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {}, false},
		"the same cluster by another name": {true, func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {}, true},
		"an address is corrected":          {false, boots, true},
		"registered there a moment ago":    {false, never, false},
		"registered there, isn't ready": {false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			never(p, n)
			n.Status.Nomad.Cluster = formerAddress
		}, false},
		"other servers, may have joined": {false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			never(p, n)
			n.Spec.Nomad.Servers = []string{"former"}
		}, false},
		"another region, may have joined": {false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			never(p, n)
			p.Spec.Nomad.Region = "eu"
		}, false},
		"another region by the same address": {false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.Spec.Nomad.Address, p.Spec.Nomad.Region = p.Spec.Nomad.Address, "eu"
		}, false},
		"led back to where it was seen, its node hidden": {false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.Status.Nomad.Cluster = p.Spec.Nomad.Address
		}, true},
		"being deleted": {false, func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.DeletionTimestamp, n.Finalizers = &metav1.Time{Time: now}, []string{v1alpha1.NodeFinalizer}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p, n := moved(c.here, c.change).reconcile(t)
			if follows := n.Spec.Nomad.Address == p.Spec.Nomad.Address &&
				n.Spec.Nomad.Region == p.Spec.Nomad.Region; follows != c.follows {
				t.Errorf("it follows: %t, to %+v", follows, n.Spec.Nomad.NomadConnection)
			}
		})
	}
}

// A member in another cluster is replaced as by a rollout, and asked for in its own cluster until it has gone.
func TestMembersElsewhereAreReplaced(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
	})
	p, n := s.reconcile(t)
	if p.Status.UpdatedReplicas != 0 {
		t.Error("it counts as up to date")
	}
	if n.Spec.Drain == nil || n.Spec.Drain.Reason != v1alpha1.DrainRollout {
		t.Errorf("its drain request is %+v", n.Spec.Drain)
	}
	emitted := ""
	for len(s.events.Events) > 0 {
		emitted += <-s.events.Events
	}
	if !strings.Contains(emitted, "MemberOutdated Member p-1 leaves: it is in another Nomad cluster than the pool's") {
		t.Errorf("emitted %q", emitted)
	}
}

// Its own cluster decides if it works, and a new one that can't be asked decides nothing about it.
func TestMembersElsewhereAreJudgedByTheirOwnCluster(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) { p.Spec.Rollout.Type = v1alpha1.OnDelete })
	if p, _ := s.reconcile(t); p.Status.ReadyReplicas != 1 {
		t.Error("it works, but isn't counted")
	}
	s = moved(false, func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	s.nomad.view.Health = nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
	if p, n := s.reconcile(t); n.Spec.Drain != nil || p.Status.UpdatedReplicas != 1 ||
		n.Spec.Nomad.Address != formerAddress {
		t.Errorf("for an address where nobody answers its drain request is %+v, of %d up to date, its own address is %s",
			n.Spec.Drain, p.Status.UpdatedReplicas, n.Spec.Nomad.Address)
	}
}

// The controller's default address leads elsewhere: members that aren't known there are replaced, and never taken for
// broken or empty.
func TestMembersOfTheFormerDefaultAddressStay(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		n.Spec.Nomad.NomadConnection = p.Spec.Nomad.NomadConnection
		n.Status.Nomad.Cluster = formerAddress
	})
	s.Connections.Clusters = s.nomad
	p, n := s.reconcile(t)
	if p.Status.UpdatedReplicas != 0 || n.Spec.Drain == nil || n.Spec.Drain.Reason != v1alpha1.DrainRollout {
		t.Errorf("%d up to date, drain request %+v", p.Status.UpdatedReplicas, n.Spec.Drain)
	}
}

// How busy a member is its own Nomad knows, wherever its pool leads to. One that can't be asked tells nothing.
func TestMembersElsewhereAreChosenByHowBusyTheyAre(t *testing.T) {
	for name, c := range map[string]struct {
		away, mute, leaves bool
	}{"empty": {leaves: true}, "its Nomad is away": {away: true}, "its Nomad doesn't tell": {mute: true}} {
		s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			scaledToNone(p, n)
			p.Spec.ScaleIn.Strategy = v1alpha1.Empty
		})
		former := answering(fixtureNodeID)
		if c.away {
			former.view.Health = nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
		}
		if c.mute {
			former.mute = errors.New("no")
		}
		s.Connections.Clusters = twoNomads{formerAddress: former, "http://127.0.0.1:4646": s.nomad}
		_, n := s.reconcile(t)
		if (n.Spec.Drain != nil) != c.leaves || c.leaves && n.Spec.Drain.OnlyIf != v1alpha1.Empty {
			t.Errorf("%s: its drain request is %+v", name, n.Spec.Drain)
		}
	}
}

// A member of a node pool for which the controller lends nobody its credentials isn't judged with those that the pool
// has: its own reconciler can't ask for it.
func TestMembersAreJudgedByTheirOwnRights(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		n.Spec.Nomad = *p.Spec.Nomad.DeepCopy()
		n.Spec.Nomad.NodePool, n.Status.Nomad.Cluster = "lent", p.Spec.Nomad.Address
		p.Spec.Rollout.Type = v1alpha1.OnDelete
	})
	d := &s.Connections.Defaults
	d.Token, d.Address, d.Namespaces = "t", "http://127.0.0.1:4646", append(d.Namespaces[:0], "ns/default")
	p, _ := s.reconcile(t)
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolReady)
	if p.Status.ReadyReplicas != 0 || c.Reason != v1alpha1.ReasonNomadUnknown {
		t.Errorf("%d are ready, %s: %s", p.Status.ReadyReplicas, c.Reason, c.Message)
	}
}
