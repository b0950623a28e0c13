package nomad

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A list that has a null in it is an error, whatever it is of: what stands for nothing may be the allocation that
// makes a node busy.
func TestListsWithNullsAreNotBelieved(t *testing.T) {
	for _, body := range []string{`[null]`, `[{},null]`} {
		c := answering(t, saying(body)).(*cluster)
		nodes, list := c.remote.nodes(t.Context(), 0)
		_, live := c.remote.live(t.Context(), []string{nodeA})
		_, running := c.remote.runningAllocations(t.Context(), Node{ID: nodeA})
		_, usage := c.Usage(t.Context(), []string{nodeA})
		_, roles := c.remote.roles(t.Context(), &api.ACLToken{Roles: []*api.ACLTokenRoleLink{{}}})
		_, policies := c.remote.policies(t.Context())
		for what, err := range map[string]error{"nodes": list, "live": live, "running": running, "usage": usage,
			"roles": roles, "policies": policies} {
			if !errors.Is(err, ErrUnreachable) || Cause(err) != errNoResponse.Error() {
				t.Errorf("%s of %s: %v", what, body, err)
			}
		}
		if len(nodes) != 0 {
			t.Errorf("nodes of %s: %v", body, nodes)
		}
	}
}

// A task without a state may run.
func TestTaskWithoutStateIsNotDead(t *testing.T) {
	c := answering(t, saying(`[{"ID":"a","NodeID":"`+nodeA+
		`","ClientStatus":"failed","TaskStates":{"web":null}}]`)).(*cluster)
	live, err := c.remote.runningAllocations(t.Context(), Node{ID: nodeA, Status: NodeReady})
	if err != nil || len(live) != 1 {
		t.Errorf("got %v, %v", live, err)
	}
}

// What is asked of one node isn't answered by another, nor by null.
func TestAnswerAboutAnotherNodeIsNotBelieved(t *testing.T) {
	for _, body := range []string{`null`, `{}`, `{"ID":"` + nodeB + `"}`} {
		c := answering(t, saying(body)).(*cluster)
		if in, err := c.remote.inspect(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) || in.Found {
			t.Errorf("%s: %v, %v", body, in, err)
		}
	}
}

func TestPanicIsAnAnswerThatCannotBeUsed(t *testing.T) {
	c := answering(t, saying(`{}`)).(*cluster)
	var none *api.Node
	read := c.remote.query(t.Context(), "read", api.QueryOptions{},
		func(*api.QueryOptions) error { _ = none.Name; return nil })
	write := c.remote.write(t.Context(), "write", func(*api.WriteOptions) error { _ = none.Name; return nil })
	for _, err := range []error{read, write} {
		if !errors.Is(err, ErrUnreachable) || Cause(err) != errNoResponse.Error() {
			t.Errorf("got %v", err)
		}
	}
}

func TestWatcherThatPanicsBeginsAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newCluster(Connection{Address: "http://127.0.0.1:1"}, Options{}.withDefaults(), newShared())
		runs, began := 0, time.Now()
		c.keepRunning(t.Context(), "test", func(context.Context) {
			if runs++; runs < 4 {
				panic("one more")
			}
		})
		if took := time.Since(began); runs != 4 || took < time.Second {
			t.Errorf("%d runs in %s", runs, took)
		}
	})
}
