package pool

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// booting is a member that nobody has seen in Nomad yet.
func booting(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
	n.Status.JoinedTime, n.Spec.NodeID = nil, bootingID
}

// A member that follows a change of the address remembers the first one that it was asked for at, until it was seen.
func TestFormerNomadIsRemembered(t *testing.T) {
	here := "http://127.0.0.1:4646"
	for name, c := range map[string]struct {
		change       func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode)
		conn, former string
	}{
		"the address was changed": {booting, here, formerAddress},
		"from one that never answered": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			n.Spec.Nomad.Address = "http://nowhere:4646"
		}, here, formerAddress},
		"and led back": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			p.Spec.Nomad.Address, n.Spec.Nomad.Address, n.Spec.FormerNomad = formerAddress, here, formerAt(formerAddress)
		}, formerAddress, formerAddress},
		"and once more, to servers that were never asked there": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			n.Spec.FormerNomad, p.Status.Nomad = formerAt(formerAddress), ledTo(p.Spec.Nomad.NomadConnection, p)
		}, here, formerAddress},
		"still booting": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			n.Spec.Nomad.Address, n.Spec.FormerNomad = here, formerAt(formerAddress)
		}, here, formerAddress},
		"it followed before that was remembered": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			n.Spec.Nomad.Address = here
		}, here, formerAddress},
		"the servers were changed too": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			n.Spec.Nomad.Address, n.Spec.FormerNomad = here, formerAt(formerAddress)
			p.Spec.Nomad.Servers = []string{"other"}
		}, here, formerAddress},
		"seen where its pool leads to": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			n.Spec.Nomad.Address, n.Spec.FormerNomad, n.Status.Nomad.Cluster = here, formerAt(formerAddress), here
		}, here, ""},
		"found in the former": {func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.Status.JoinedTime, n.Spec.Nomad.Address, n.Spec.FormerNomad = nil, here, formerAt(formerAddress)
		}, here, formerAddress},
		"led back to the former, where a job hides it": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			p.Spec.Nomad.Address, n.Spec.Nomad.Address, n.Spec.FormerNomad = formerAddress, here, formerAt(formerAddress)
			n.Status.Nomad.Cluster = formerAddress
		}, formerAddress, ""},
		"its pool leads elsewhere by now": {func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			p.Spec.Nomad.Servers, n.Spec.FormerNomad = []string{"other"}, formerAt("http://first:4646")
		}, formerAddress, "http://first:4646"},
	} {
		t.Run(name, func(t *testing.T) {
			s := moved(false, c.change)
			s.Connections.Clusters = twoNomads{here: s.nomad, formerAddress: answering(fixtureNodeID),
				"http://first:4646": answering(), "http://nowhere:4646": answering()}
			_, n := s.reconcile(t)
			if was := formerAddressOf(n); n.Spec.Nomad.Address != c.conn || was != c.former {
				t.Errorf("it is asked for at %s and %q, not at %s and %q", n.Spec.Nomad.Address, was, c.conn, c.former)
			}
		})
	}
}

// answering is a Nomad with some nodes.
func answering(ids ...string) *nomadStub {
	n := &nomadStub{view: nomad.View{Taken: now, RecoveredSince: now.Add(-time.Hour),
		Health: nomad.Health{State: nomad.HealthReachable}, Nodes: map[string]nomad.Node{}}}
	for _, id := range ids {
		n.view.Nodes[id] = nomad.Node{ID: id, Status: nomad.NodeReady, Eligible: true}
	}
	return n
}

func formerAddressOf(n *v1alpha1.NomadNode) string {
	if n.Spec.FormerNomad == nil {
		return ""
	}
	return n.Spec.FormerNomad.Address
}

// A member isn't given up while the Nomad that it may have joined can't be asked.
func TestMembersArentMissingWhileTheirFormerNomadIsAway(t *testing.T) {
	for name, away := range map[string]bool{"away": true, "it answers": false} {
		for _, follows := range []bool{true, false} {
			s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
				booting(p, n)
				p.Spec.Health.JoinTimeout = metav1.Duration{Duration: 60e9}
				n.Status.VM.CreationTime = &metav1.Time{Time: n.CreationTimestamp.Time}
				n.Status.Phase = v1alpha1.NodeJoining
				if follows {
					n.Spec.FormerNomad = formerAt(formerAddress)
					n.Spec.Nomad.NomadConnection = p.Spec.Nomad.NomadConnection
				}
			})
			former := &nomadStub{}
			former.view = s.nomad.view
			if away {
				former.view.Health = nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
			}
			s.Connections.Clusters = twoNomads{formerAddress: former, "http://127.0.0.1:4646": s.nomad}
			if _, n := s.reconcile(t); (n.Spec.Drain == nil) != away {
				t.Errorf("%s, follows already: %t: its drain request is %+v", name, follows, n.Spec.Drain)
			}
		}
	}
}

// A new member is asked for where its servers led to, too, until another one with these was seen where the pool's
// connection leads to.
func TestNewMembersAreAskedForWhereTheirServersLedTo(t *testing.T) {
	for name, c := range map[string]struct {
		knownHere bool
		change    func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode)
		want      string
	}{
		"only the address was changed": {false, func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {}, formerAddress},
		"nothing was changed": {false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
			p.Status.Nomad = ledTo(p.Spec.Nomad.NomadConnection, p)
		}, ""},
		"both were changed": {false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
			p.Spec.Nomad.Servers = []string{"other"}
			p.Status.Nomad = ledTo(p.Spec.Nomad.NomadConnection, p)
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := moved(c.knownHere, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
				p.Spec.Replicas, p.Status.LastScale.To = ptr.To[int32](2), 2
				p.Spec.Rollout.Type = v1alpha1.OnDelete
				c.change(p, n)
			})
			s.reconcile(t)
			var l v1alpha1.NomadNodeList
			if err := s.Client.List(t.Context(), &l, client.InNamespace("ns")); err != nil || len(l.Items) != 2 {
				t.Fatalf("%d members, %v", len(l.Items), err)
			}
			for _, n := range l.Items {
				if n.Name != "p-1" && formerAddressOf(&n) != c.want {
					t.Errorf("the new one is asked for at %q too, not at %q", formerAddressOf(&n), c.want)
				}
			}
		})
	}
}

// Where the servers lead to is written while Nomad answers, and follows an address that was changed alone when a member
// with these servers was seen there.
func TestWhereTheServersLeadToIsWritten(t *testing.T) {
	here := v1alpha1.NomadConnection{Address: "http://127.0.0.1:4646"}
	former := v1alpha1.NomadConnection{Address: formerAddress}
	for name, c := range map[string]struct {
		away   bool
		change func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode)
		want   *v1alpha1.NomadConnection
	}{
		"a new pool":                {false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) { p.Status.Nomad = nil }, &here},
		"nobody answers":            {true, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) { p.Status.Nomad = nil }, nil},
		"nobody answers there":      {true, func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {}, &former},
		"seen here":                 {false, func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {}, &here},
		"not seen here yet":         {false, booting, &former},
		"seen here, by old servers": {false, func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) { n.Spec.Nomad.Servers = []string{"other"} }, &former},
		"seen here, from elsewhere": {false, func(_ *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) { n.Spec.Nomad.Region = "eu" }, &former},
		"the servers were changed":  {false, func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) { p.Spec.Nomad.Servers = []string{"other"} }, &here},
		"other credentials": {false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			booting(p, n)
			p.Status.Nomad = ledTo(here, p)
			p.Status.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: "old"}
		}, &here},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
				n.Spec.Nomad = *p.Spec.Nomad.DeepCopy()
				p.Status.Nomad = ledTo(former, p)
				c.change(p, n)
			})
			if c.away {
				s.nomad.view.Health = nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
			}
			s.Connections.Clusters = twoNomads{here.Address: s.nomad, formerAddress: answering()}
			p, _ := s.reconcile(t)
			if (p.Status.Nomad == nil) != (c.want == nil) || c.want != nil && p.Status.Nomad.NomadConnection != *c.want {
				t.Errorf("it is %+v, not %+v", p.Status.Nomad, c.want)
			}
			if joined := p.Status.Nomad != nil && p.Status.Nomad.Joined; joined != (name == "seen here" || name == "a new pool") {
				t.Errorf("a member has joined there: %t", joined)
			}
		})
	}
}

// The servers lead to another Nomad than the address, and stay so: a member that was found there works on, because its
// replacement would join that too, and the pool tells which of its fields don't belong together.
func TestPoolWhoseServersLeadElsewhere(t *testing.T) {
	for name, proven := range map[string]bool{"still": false, "no more": true} {
		s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			n.Spec.Nomad = *p.Spec.Nomad.DeepCopy()
			n.Spec.Revision = blueprint.Revision(&p.Spec.Template, &p.Spec.Nomad.NomadClient, p.Spec.Nomad.Region)
			p.Status.Revision = n.Spec.Revision
			p.Status.Conditions = []metav1.Condition{{Type: v1alpha1.PoolTemplateValid, Status: metav1.ConditionTrue}}
			p.Spec.Rollout.MaxSurge, p.Spec.Rollout.MaxUnavailable = new(intstr.FromInt32(0)), new(intstr.FromInt32(1))
			p.Spec.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
			p.Status.Nomad = ledTo(v1alpha1.NomadConnection{Address: formerAddress}, p)
			n.Spec.FormerNomad = formerAt(formerAddress)
			n.Status.Nomad.Cluster = formerAddress
		})
		s.Connections.Clusters = twoNomads{formerAddress: answering(fixtureNodeID), "http://127.0.0.1:4646": s.nomad}
		s.nomad.view.Nodes = nil
		_, another := s.reconcile(t)
		if proven { // another one has joined the Nomad that the address leads to
			another.Name, another.UID, another.ResourceVersion, another.Spec.NodeID = "p-2", "n2", "", bootingID
			if err := s.Client.Create(t.Context(), another); err != nil {
				t.Fatal(err)
			}
			s.nomad.view.Nodes = answering(bootingID).view.Nodes
			s.reconcile(t) // which writes that, and the next one acts
		}
		p, n := s.reconcile(t)
		c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolUpToDate)
		if reports := c.Reason == v1alpha1.ReasonServersElsewhere && strings.Contains(c.Message, formerAddress); reports == proven {
			t.Errorf("%s: it says %s: %s", name, c.Reason, c.Message)
		}
		if !p.Status.Nomad.Joined {
			t.Errorf("%s: it isn't known that a member has joined: %+v", name, p.Status.Nomad)
		}
		if (n.Spec.Drain != nil) != proven || p.Status.ReadyReplicas != 1 && !proven {
			t.Errorf("%s: its drain request is %+v, %d are ready", name, n.Spec.Drain, p.Status.ReadyReplicas)
		}
	}
}

// The credentials for the former Nomad, in which a member was found, are away for a while. Where it is isn't forgotten,
// and the pool tells of that Nomad all the same.
func TestMemberWhoseFormerNomadCantBeUsed(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		n.Spec.Nomad.NomadConnection, n.Status.Nomad.Cluster = p.Spec.Nomad.NomadConnection, formerAddress
		n.Spec.FormerNomad = formerAt(formerAddress)
		n.Spec.FormerNomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: "missing"}
	})
	p, n := s.reconcile(t)
	if was := formerAddressOf(n); was != formerAddress || n.Spec.Drain != nil {
		t.Errorf("it is asked for at %q too, its drain request is %+v", was, n.Spec.Drain)
	}
	c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolUpToDate)
	if c.Reason != v1alpha1.ReasonServersElsewhere || !strings.Contains(c.Message, formerAddress) {
		t.Errorf("it says %s: %s", c.Reason, c.Message)
	}
}

// A pool whose servers lead elsewhere than its address has made one member more to replace one that is elsewhere, and it
// joined that Nomad too. When it has left as the surplus, the pool doesn't try that again and again.
func TestPoolWhoseServersLeadElsewhereMakesNoMore(t *testing.T) {
	s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		n.Status.Nomad.Cluster, p.Status.Nomad.Joined = formerAddress, true
		p.Spec.Rollout.MaxSurge, p.Spec.Rollout.MaxUnavailable = new(intstr.FromInt32(1)), new(intstr.FromInt32(0))
	})
	former := answering(fixtureNodeID)
	s.Connections.Clusters = twoNomads{formerAddress: former, "http://127.0.0.1:4646": s.nomad}
	made := func() []v1alpha1.NomadNode {
		s.reconcile(t)
		var l v1alpha1.NomadNodeList
		if err := s.Client.List(t.Context(), &l, client.InNamespace("ns")); err != nil {
			t.Fatal(err)
		}
		return l.Items
	}
	all := made()
	if len(all) != 2 {
		t.Fatalf("%d members", len(all))
	}
	for i := range all {
		if n := &all[i]; n.Name != "p-1" {
			former.view.Nodes = answering(fixtureNodeID).view.Nodes
			former.view.Nodes[n.Spec.NodeID] = nomad.Node{ID: n.Spec.NodeID, Status: nomad.NodeReady, Eligible: true, CreateIndex: 9}
			n.Status.Nomad.Cluster, n.Status.JoinedTime = formerAddress, &metav1.Time{Time: now}
			if err := s.Client.Status().Update(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			made()
			if err := s.Client.Get(t.Context(), client.ObjectKeyFromObject(n), n); err != nil || n.Spec.Drain == nil {
				t.Fatalf("the new one stays, %v", err)
			}
			n.Finalizers = nil
			if err := s.Client.Update(t.Context(), n); err != nil {
				t.Fatal(err)
			}
			if err := s.Client.Delete(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 2 {
		if all = made(); len(all) != 1 || all[0].Spec.Drain != nil {
			t.Errorf("%d members, the drain request of the first is %+v", len(all), all[0].Spec.Drain)
		}
	}
}

// A pool that an earlier version of the controller has led elsewhere has no note of where its servers led to. Its members
// know.
func TestWhereTheServersLedToIsFoundFromMembers(t *testing.T) {
	for name, c := range map[string]struct {
		change func(n *v1alpha1.NomadNode)
		want   string
	}{
		"seen there": {func(*v1alpha1.NomadNode) {}, formerAddress},
		"found there": {func(n *v1alpha1.NomadNode) {
			n.Spec.FormerNomad, n.Spec.Nomad.Address = formerAt(formerAddress), "http://127.0.0.1:4646"
		}, formerAddress},
		"other servers": {func(n *v1alpha1.NomadNode) { n.Spec.Nomad.Servers = []string{"other"} }, "http://127.0.0.1:4646"},
		"never seen":    {func(n *v1alpha1.NomadNode) { booting(nil, n); n.Status.Nomad.Cluster = "" }, "http://127.0.0.1:4646"},
	} {
		s := moved(false, func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			p.Status.Nomad, n.Status.Nomad.Cluster = nil, formerAddress
			c.change(n)
		})
		s.Connections.Clusters = twoNomads{formerAddress: answering(fixtureNodeID), "http://127.0.0.1:4646": s.nomad}
		if p, _ := s.reconcile(t); p.Status.Nomad == nil || p.Status.Nomad.Address != c.want {
			t.Errorf("%s: it is %+v", name, p.Status.Nomad)
		}
	}
}
