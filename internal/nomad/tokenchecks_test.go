package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"
)

func seesAll() *policyRules {
	return &policyRules{Node: &struct{ Policy string }{"write"}, Namespaces: []namespaceRule{namespace("*", "read-job")}}
}

// A token that loses read-job in a namespace isn't refused: the list of allocations gets shorter, and a busy node
// looks empty.
func TestInspectDoesNotBelieveATokenThatSeesLess(t *testing.T) {
	f, seen := newFakeServer(t), &changes{}
	f.token, f.policies["p"], f.nodes[nodeA] = &api.ACLToken{Type: "client"}, seesAll(), fakeNode(nodeA)
	f.allocs = []*api.AllocationListStub{{ID: "1", NodeID: nodeA, ClientStatus: "running"}}
	clusters := NewClusters(
		Options{OnChange: seen.note, RequestTimeout: time.Second, CheckToken: time.Hour, PollNodes: time.Second})
	go func() { _ = clusters.Start(t.Context()) }()
	c := clusters.Get(Connection{Address: f.URL, Token: "t"})
	eventually(t, "a good token", func() bool { return c.View().Health.OK() })
	if in, err := c.Inspect(t.Context(), nodeA); err != nil || len(in.Live) != 1 {
		t.Fatalf("got %+v, %v", in, err)
	}

	f.locked(func() { // Nomad leaves out what the token may not see
		f.policies["narrow"] = &policyRules{Namespaces: []namespaceRule{namespace("prod", "submit-job")}}
		f.allocs = nil
	})
	in, err := c.Inspect(t.Context(), nodeA)
	if !errors.Is(err, ErrForbidden) || in.Found || !strings.Contains(err.Error(), `namespace "prod"`) {
		t.Errorf("got %+v, %v", in, err)
	}
	if h := c.View().Health; h.OK() || h.State != HealthTokenLacksReadJob || seen.ofHealth() != 2 {
		t.Errorf("the health is %+v, reported %d times", h, seen.ofHealth())
	}

	f.locked(func() { delete(f.policies, "narrow") })
	if _, err := c.Inspect(t.Context(), nodeA); !errors.Is(err, ErrForbidden) || !c.View().Health.OK() {
		t.Errorf("with all grants back since when, nobody knows: %v, %+v", err, c.View().Health)
	}
	if _, err := c.Inspect(t.Context(), nodeA); err != nil {
		t.Errorf("with all grants back: %v", err)
	}
	f.locked(func() { f.refuse["/v1/acl/"] = refusal{code: http.StatusBadGateway, body: "bad gateway"} })
	if in, err := c.Inspect(t.Context(), nodeA); !errors.Is(err, ErrUnreachable) || in.Found {
		t.Errorf("unverified: %+v, %v", in, err)
	}
}

// The first check is the watcher's elsewhere.
func TestInspectTakesOneRequestMoreWithoutPolicies(t *testing.T) {
	for name, token := range map[string]*api.ACLToken{"without ACLs": nil,
		"management": {Type: managementType, ModifyIndex: 7}} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			f.nodes[nodeA], f.token = fakeNode(nodeA), token
			c := direct(f)
			for range 2 {
				if _, err := c.Inspect(t.Context(), nodeA); err != nil {
					t.Fatal(err)
				}
			}
			const self = "GET /v1/acl/token/self"
			each := " GET /v1/node/" + nodeA + " GET /v1/allocations " + self
			f.locked(func() {
				if got := strings.Join(f.requests, " "); got != self+each+each {
					t.Errorf("asked for %s", got)
				}
			})
		})
	}
}

// Who comes while a check is under way waits for the next one, together with the others: the first may have begun too
// early.
func TestTokenChecksAreSharedAndNotTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, goOn := newTokenChecks(), make(chan struct{})
		var mu sync.Mutex
		began, found := 0, map[string]int{}
		ask := func() {
			h, err := l.newer(t.Context(), func(context.Context) (tokenCheck, error) {
				began++
				me := fmt.Sprintf("check %d", began)
				<-goOn
				return tokenCheck{health: Health{Cause: me}}, nil
			})
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			found[h.health.Cause]++
			mu.Unlock()
		}
		go ask()
		synctest.Wait()
		for range 20 {
			go ask()
		}
		synctest.Wait()
		goOn <- struct{}{}
		synctest.Wait()
		if began != 2 || len(found) != 1 {
			t.Fatalf("%d checks have begun, found %v", began, found)
		}
		goOn <- struct{}{}
		synctest.Wait()
		if began != 2 || found["check 1"] != 1 || found["check 2"] != 20 {
			t.Errorf("%d checks for 21 who asked, found %v", began, found)
		}
	})
}

func TestTokenCheckThatWasGivenUpIsNotShared(t *testing.T) {
	l := newTokenChecks()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := l.newer(ctx, func(ctx context.Context) (tokenCheck, error) { cancel(); return tokenCheck{}, ctx.Err() })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if l.done != 0 || l.latest.Load() != nil {
		t.Error("the others are given its error")
	}
	good := func(context.Context) (tokenCheck, error) {
		return tokenCheck{health: Health{State: HealthReachable}}, nil
	}
	if found, err := l.newer(t.Context(), good); err != nil || !found.health.OK() || *l.latest.Load() != found {
		t.Errorf("got %+v, %v", found, err)
	}
}
