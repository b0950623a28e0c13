package nomad

import (
	"fmt"
	"testing"
	"time"
)

func TestNamesakes(t *testing.T) {
	nodes := map[string]Node{
		"1": {Name: "a", Status: NodeReady}, "2": {Name: "b", Status: NodeReady}, "3": {Name: "a", Status: NodeReady},
		"4": {Name: "b", Status: NodeDown}, "5": {Name: "a", Status: NodeDisconnected}, "6": {Name: "c", Status: NodeDown},
	}
	markNamesakes(nodes)
	for id, want := range map[string]string{"1": "3", "2": "", "3": "1", "4": "", "5": "1", "6": ""} {
		if got := nodes[id].Namesake; got != want {
			t.Errorf("node %s: got %q, want %q", id, got, want)
		}
	}
}

// A server may list as many of one name as it likes.
func TestManyNamesakesTakeLittleTime(t *testing.T) {
	nodes := map[string]Node{}
	for i := range maxItems {
		nodes[fmt.Sprint(i)] = Node{Name: "a", Status: NodeReady}
	}
	began := time.Now()
	markNamesakes(nodes)
	if took := time.Since(began); took > 30*time.Second || nodes["7"].Namesake != "0" || nodes["0"].Namesake != "1" {
		t.Errorf("%s: %q, %q", took, nodes["7"].Namesake, nodes["0"].Namesake)
	}
}

// Both are reported when the second one comes, and when it goes.
func TestANamesakeWakesTheMember(t *testing.T) {
	before := map[string]Node{nodeA: {ID: nodeA, Name: "a", Status: NodeReady}}
	after := map[string]Node{nodeA: {ID: nodeA, Name: "a", Status: NodeReady}, nodeB: {ID: nodeB, Name: "a", Status: NodeReady}}
	markNamesakes(before)
	markNamesakes(after)
	if got := changedNodes(before, after); len(got) != 2 {
		t.Errorf("come: %v", got)
	}
	if got := changedNodes(after, before); len(got) != 2 {
		t.Errorf("gone: %v", got)
	}
}
