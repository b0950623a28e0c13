package nomadlink

import (
	"strings"
	"testing"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// listing is a Nomad with some nodes.
type listing struct {
	nomad.Cluster
	nodes map[string]nomad.Node
}

func (l *listing) View() nomad.View {
	return nomad.View{Taken: now, Health: nomad.Health{State: nomad.HealthReachable}, Nodes: l.nodes}
}

// byAddress are some Nomads.
type byAddress map[string]*listing

func (b byAddress) Get(c nomad.Connection) nomad.Cluster { return b[c.Address] }

// Somebody has led a pool to another Nomad and left its servers: a new member's guest joins the former one, where its pool
// asks for its other members. Nothing is missing then.
func TestGuestThatJoinedWhereItsPoolsOthersAre(t *testing.T) {
	at := func(n *v1alpha1.NomadNode, address string) *v1alpha1.NomadNode {
		n.Spec.Nomad.Address = address
		return n
	}
	for name, tc := range map[string]struct {
		former client.Object // uses the former Nomad
		node   string        // that is there
		seen   string        // where the member was seen
		known  bool
	}{
		"another member is there":     {at(memberNamed("p-1", "p", "id-1"), "http://former"), "id-2", "", false},
		"its pool is there":           {poolNamed("p"), "id-2", "", false},
		"another pool's Nomad":        {at(memberNamed("q-1", "q", "id-9"), "http://former"), "id-2", "", true},
		"it isn't there":              {at(memberNamed("p-1", "p", "id-1"), "http://former"), "id-3", "", true},
		"it was seen where it is now": {at(memberNamed("p-1", "p", "id-1"), "http://former"), "id-2", "http://new", true},
	} {
		t.Run(name, func(t *testing.T) {
			c := &Connections{Clock: clocktesting.NewFakePassiveClock(now), Defaults: Config{Namespaces: allowed{"*/*/*"}, Addresses: allowed{"*"}},
				Clusters: byAddress{"http://former": {nodes: map[string]nomad.Node{tc.node: {ID: tc.node}}}, "http://new": {}}}
			former := v1alpha1.NomadSpec{NomadConnection: v1alpha1.NomadConnection{Address: "http://former"}}
			if _, err := c.Link(t.Context(), tc.former, former); err != nil {
				t.Fatal(err)
			}
			n := at(memberNamed("p-2", "p", "id-2"), "http://new")
			n.Status.Nomad.Cluster = tc.seen
			l, err := c.Link(t.Context(), n, n.Spec.Nomad)
			if err != nil {
				t.Fatal(err)
			}
			if l = l.Of(n); l.Known != tc.known || !tc.known && !strings.Contains(l.Message, "http://former") {
				t.Errorf("known: %t, %s", l.Known, l.Message)
			}
		})
	}
}
