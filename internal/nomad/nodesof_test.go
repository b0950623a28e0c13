package nomad

import (
	"errors"
	"fmt"
	"testing"

	testnomad "github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// The nodes of a member are those whose meta names it in its pool, whatever they are called.
func TestNodesOfAMember(t *testing.T) {
	server := startNomad(t, testnomad.ServerOptions{})
	c := NewClusters(Options{}).Get(Connection{Address: server.Addr})
	of := func(poolUID, member string) map[string]string {
		return map[string]string{MetaPoolUID: poolUID, MetaMember: member}
	}
	want := map[string]bool{
		join(t, server, simclient.Options{Name: "pool-1", Meta: of("uid", "pool-1")}): true,
		join(t, server, simclient.Options{Name: "other", Meta: of("uid", "pool-1")}):  true,
	}
	join(t, server, simclient.Options{Name: "pool-2", Meta: of("uid", "pool-2")})
	join(t, server, simclient.Options{Name: "pool-3", Meta: of("another", "pool-1")})
	join(t, server, simclient.Options{Name: "pool-4"})
	nodes, err := c.NodesOf(t.Context(), "uid", "pool-1")
	if err != nil || len(nodes) != len(want) {
		t.Fatalf("%+v, %v", nodes, err)
	}
	for _, n := range nodes {
		if !want[n.ID] || n.Status != NodeReady || n.Name == "" {
			t.Errorf("%+v", n)
		}
	}
	if nodes, err := c.NodesOf(t.Context(), `u" or Name != "`, "pool-1"); err == nil || len(nodes) > 0 {
		t.Errorf("an expression in the name: %+v, %v", nodes, err)
	}
}

// Of more than anybody looks at no more are read, and that isn't an error of Nomad's. An answer that isn't all there shows
// nothing.
func TestNodesOfAMemberAreBounded(t *testing.T) {
	f := newFakeServer(t)
	c := NewClusters(Options{}).Get(Connection{Address: f.URL})
	for i := range MaxNodesOf {
		id := fmt.Sprintf("aaaaaaaa-0000-4000-8000-%012d", i)
		f.nodes[id] = fakeNode(id)
	}
	f.nodes["odd"] = fakeNode("odd")
	if nodes, err := c.NodesOf(t.Context(), "u", "p-1"); err != nil || len(nodes) != MaxNodesOf {
		t.Errorf("%d, %v", len(nodes), err)
	}
	f.locked(func() { f.nodes[nodeB] = fakeNode(nodeB) })
	if nodes, err := c.NodesOf(t.Context(), "u", "p-1"); err != nil || len(nodes) != MaxNodesOf {
		t.Errorf("one too many: %d, %v", len(nodes), err)
	}
	f.locked(func() { f.refuse["/v1/nodes"] = refusal{code: 403, body: "Permission denied"} })
	if _, err := c.NodesOf(t.Context(), "u", "p-1"); !errors.Is(err, ErrForbidden) {
		t.Errorf("refused: %v", err)
	}
}
