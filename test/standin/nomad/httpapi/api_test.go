package httpapi_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/httpapi"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// leader is a server that leads, in memory, with its API.
type leader struct {
	t      *testing.T
	server *server.Server
	url    string
	client *api.Client
}

func newLeader(t *testing.T, withACL bool) *leader {
	t.Helper()
	s, err := server.New(
		server.Config{Name: "server-1", RPCAddr: "127.0.0.1:1", ACLEnabled: withACL, TokenMinTTL: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	listener := httptest.NewServer(httpapi.New(s, httpapi.Options{}))
	t.Cleanup(func() {
		listener.CloseClientConnections()
		listener.Close()
		if err := s.Stop(); err != nil {
			t.Error(err)
		}
	})
	w := &leader{t: t, server: s, url: listener.URL}
	w.client = w.as("")
	return w
}

func (w *leader) as(secret string) *api.Client {
	w.t.Helper()
	client, err := api.NewClient(&api.Config{Address: w.url, SecretID: secret})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(client.Close)
	return client
}

func (w *leader) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *leader) node(name string, meta map[string]string) string {
	w.t.Helper()
	n := &state.Node{Node: api.Node{
		ID: uuid.NewString(), Name: name, Status: state.NodeReady, SchedulingEligibility: state.Eligible, NodePool: "default",
		HTTPAddr: "10.0.0.1:4646", Meta: meta, Attributes: map[string]string{"nomad.version": "1.11.3"},
	}}
	_, err := w.server.Store().Write(func(tx *state.Txn) error {
		state.Nodes.Put(tx, n)
		return nil
	})
	w.must(err)
	return n.ID
}

func statusOf(err error) int {
	var unexpected api.UnexpectedResponseError
	if errors.As(err, &unexpected) {
		return unexpected.StatusCode()
	}
	return 0
}

// facts/nomad.md §1: the filter sees what the list doesn't show, and fails the whole list over what it doesn't
// understand.
func TestFilterOfNodes(t *testing.T) {
	w := newLeader(t, false)
	w.node("a-1", map[string]string{"pool-uid": "u", "x.y": "z"})
	w.node("b-1", nil)
	for filter, want := range map[string]int{
		`"pool-uid" in Meta`: 1, `Meta["pool-uid"] == "u"`: 1, `Meta["none"] == "u"`: 0, `Meta["none"] != "u"`: 2,
		`Name matches "^b-"`: 1, `NodePool == "default"`: 2, `Attributes["nomad.version"] == "1.11.3"`: 2,
		`Status == "down"`: 0,
	} {
		nodes, _, err := w.client.Nodes().List(&api.QueryOptions{Filter: filter})
		if err != nil || len(nodes) != want {
			t.Errorf("%s: %d, %v", filter, len(nodes), err)
		}
	}
	for _, filter := range []string{`Meta.x.y == "z"`, `Nothing == "x"`, `DrainStrategy.Deadline == 1`, `((`} {
		if _, _, err := w.client.Nodes().List(&api.QueryOptions{Filter: filter}); statusOf(err) != http.StatusBadRequest {
			t.Errorf("%s: %v", filter, err)
		}
	}
}

func TestPagesPrefixesAndMissingNodes(t *testing.T) {
	w := newLeader(t, false)
	ids := map[string]bool{}
	for range 5 {
		ids[w.node("n", nil)] = true
	}
	q := &api.QueryOptions{PerPage: 2}
	for pages := 1; ; pages++ {
		nodes, meta, err := w.client.Nodes().List(q)
		w.must(err)
		for _, n := range nodes {
			delete(ids, n.ID)
		}
		if q.NextToken = meta.NextToken; q.NextToken == "" {
			if len(ids) != 0 || pages != 3 {
				t.Errorf("after %d pages %v are missing", pages, ids)
			}
			break
		}
	}
	if _, _, err := w.client.Nodes().PrefixList("abc"); statusOf(err) != http.StatusInternalServerError {
		t.Errorf("odd prefix: %v", err)
	}
	missing := uuid.NewString()
	if _, _, err := w.client.Nodes().Info(missing, nil); statusOf(err) != http.StatusNotFound ||
		!strings.Contains(err.Error(), "node not found") {
		t.Errorf("read: %v", err)
	}
	if _, _, err := w.client.Nodes().Purge(missing, nil); statusOf(err) != http.StatusInternalServerError ||
		!strings.Contains(err.Error(), "node not found") {
		t.Errorf("purge: %v", err)
	}
}

func TestBlockingQueryWakes(t *testing.T) {
	w := newLeader(t, false)
	w.node("a", nil)
	_, meta, err := w.client.Nodes().List(nil)
	w.must(err)
	time.AfterFunc(100*time.Millisecond, func() { w.node("b", nil) })
	began := time.Now()
	// Any node wakes, whatever the filter.
	nodes, next, err := w.client.Nodes().
		List(&api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 20 * time.Second, Filter: `Name == "a"`})
	if took := time.Since(began); err != nil || len(nodes) != 1 || next.LastIndex <= meta.LastIndex ||
		took < 50*time.Millisecond ||
		took > 10*time.Second {
		t.Errorf("%d nodes at %d after %s, %v", len(nodes), next.LastIndex, took, err)
	}
	_, late, err := w.client.Nodes().List(&api.QueryOptions{WaitIndex: next.LastIndex, WaitTime: 50 * time.Millisecond})
	if err != nil || late.LastIndex != next.LastIndex || !late.KnownLeader {
		t.Errorf("%+v, %v", late, err)
	}
}

func TestTokensAndTheirPolicies(t *testing.T) {
	w := newLeader(t, true)
	boot, _, err := w.client.ACLTokens().Bootstrap(nil)
	w.must(err)
	if _, _, err := w.client.ACLTokens().Bootstrap(nil); statusOf(err) != http.StatusBadRequest {
		t.Errorf("second bootstrap: %v", err)
	}
	admin := w.as(boot.SecretID)
	_, err = admin.ACLPolicies().
		Upsert(&api.ACLPolicy{Name: "p", Rules: `node { policy = "read" } namespace "default" { policy = "read" }`}, nil)
	w.must(err)
	if _, err := admin.ACLPolicies().Upsert(&api.ACLPolicy{Name: "q", Rules: `nod {}`}, nil); statusOf(
		err) != http.StatusBadRequest {
		t.Errorf("bad policy: %v", err)
	}
	token, _, err := admin.ACLTokens().Create(&api.ACLToken{Type: "client", Policies: []string{"p"}}, nil)
	w.must(err)
	user := w.as(token.SecretID)
	_, _, err = user.Nodes().List(nil)
	w.must(err)
	if _, err := user.Nodes().ToggleEligibility(uuid.NewString(), false, nil); statusOf(err) != http.StatusForbidden {
		t.Errorf("writes: %v", err)
	}
	stubs, _, err := user.ACLPolicies().List(nil)
	if err != nil || len(stubs) != 1 {
		t.Errorf("%v, %v", stubs, err)
	}
	var policy struct {
		RulesJSON struct {
			Namespaces []struct{ Capabilities []string }
		}
	}
	_, err = user.Raw().Query("/v1/acl/policy/p", &policy, nil)
	if err != nil || len(policy.RulesJSON.Namespaces) != 1 || len(policy.RulesJSON.Namespaces[0].Capabilities) < 3 {
		t.Errorf("%+v, %v", policy, err)
	}
	if _, _, err := w.as(uuid.NewString()).ACLTokens().Self(nil); statusOf(err) != http.StatusForbidden ||
		!strings.Contains(err.Error(), "ACL token not found") {
		t.Errorf("unknown token: %v", err)
	}
	short, _, err := admin.ACLTokens().
		Create(&api.ACLToken{Type: "client", Policies: []string{"p"}, ExpirationTTL: time.Millisecond}, nil)
	w.must(err)
	time.Sleep(10 * time.Millisecond)
	if _, _, err := w.as(short.SecretID).ACLTokens().Self(nil); !strings.Contains(err.Error(), "ACL token expired") {
		t.Errorf("expired token: %v", err)
	}
}

// facts/nomad.md §0.6: one list hides what the token may not see, the other refuses.
func TestAllocationsThatATokenMayNotSee(t *testing.T) {
	w := newLeader(t, true)
	boot, _, err := w.client.ACLTokens().Bootstrap(nil)
	w.must(err)
	admin := w.as(boot.SecretID)
	node := w.node("n", nil)
	_, err = w.server.Store().Write(func(tx *state.Txn) error {
		state.Allocs.Put(tx, &api.Allocation{
			ID:            uuid.NewString(),
			Namespace:     "default",
			NodeID:        node,
			ClientStatus:  state.ClientRunning,
			DesiredStatus: state.DesiredRun,
			AllocatedResources: &api.AllocatedResources{Tasks: map[string]*api.AllocatedTaskResources{
				"a": {Cpu: api.AllocatedCpuResources{CpuShares: 100}}, "b": {Memory: api.AllocatedMemoryResources{MemoryMB: 70}},
			}},
		})
		return nil
	})
	w.must(err)
	if allocs, _, err := admin.Nodes().Allocations(node, nil); err != nil || len(allocs) != 1 ||
		*allocs[0].Resources.CPU != 100 ||
		*allocs[0].Resources.MemoryMB != 70 {
		t.Errorf("what the autoscaler adds up: %+v, %v", allocs, err)
	}
	_, err = admin.ACLPolicies().Upsert(&api.ACLPolicy{Name: "blind", Rules: `node { policy = "write" }`}, nil)
	w.must(err)
	token, _, err := admin.ACLTokens().Create(&api.ACLToken{Type: "client", Policies: []string{"blind"}}, nil)
	w.must(err)
	blind := w.as(token.SecretID)
	if allocs, _, err := blind.Nodes().Allocations(node, nil); err != nil || len(allocs) != 0 {
		t.Errorf("%d, %v", len(allocs), err)
	}
	everywhere := &api.QueryOptions{
		Namespace: api.AllNamespacesNamespace,
		Filter:    `(ClientStatus == "running") and NodeID matches "^(` + node + `)$"`,
	}
	if _, _, err := blind.Allocations().List(everywhere); statusOf(err) != http.StatusForbidden {
		t.Errorf("refusal: %v", err)
	}
	if allocs, _, err := admin.Allocations().List(everywhere); err != nil || len(allocs) != 1 {
		t.Errorf("%d, %v", len(allocs), err)
	}
}

func TestEventStream(t *testing.T) {
	w := newLeader(t, false)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	events, err := w.client.EventStream().Stream(ctx, map[api.Topic][]string{api.TopicNode: {"*"}}, 0, nil)
	w.must(err)
	id := w.node("n", nil)
	for batch := range events {
		if batch.Err != nil {
			t.Fatal(batch.Err)
		}
		for _, e := range batch.Events {
			if node, err := e.Node(); err == nil && node != nil && node.ID == id {
				return
			}
		}
	}
	t.Error("the node never came")
}

func TestSnapshotIsChecked(t *testing.T) {
	w := newLeader(t, false)
	id := w.node("n", nil)
	reader, err := w.client.Operator().Snapshot(nil)
	w.must(err)
	all, err := io.ReadAll(reader)
	w.must(errors.Join(err, reader.Close()))
	later := w.node("m", nil)
	_, err = w.client.Operator().SnapshotRestore(bytes.NewReader(all), nil)
	w.must(err)
	_, _, err = w.client.Nodes().Info(id, nil)
	w.must(err)
	if _, _, err := w.client.Nodes().Info(later, nil); statusOf(err) != http.StatusNotFound {
		t.Errorf("what came later is there: %v", err)
	}
}

func TestWhatIsAskedOfAgents(t *testing.T) {
	w := newLeader(t, false)
	if leader, err := w.client.Status().Leader(); err != nil || leader != "127.0.0.1:1" {
		t.Errorf("%q, %v", leader, err)
	}
	members, err := w.client.Agent().Members()
	if err != nil || len(members.Members) != 1 || members.Members[0].Tags["build"] != server.Version {
		t.Errorf("%+v, %v", members, err)
	}
	self, err := w.client.Agent().Self()
	if err != nil || self.Member.Name != "server-1.global" {
		t.Errorf("%+v, %v", self, err)
	}
	raft, err := w.client.Operator().RaftGetConfiguration(nil)
	if err != nil || len(raft.Servers) != 1 || !raft.Servers[0].Leader || !raft.Servers[0].Voter {
		t.Errorf("%+v, %v", raft, err)
	}
	text, err := w.client.Operator().Metrics(&api.QueryOptions{Params: map[string]string{"format": "prometheus"}})
	if err != nil || !strings.Contains(string(text), "nomad_nomad_blocked_evals_total_blocked{") {
		t.Errorf("%s, %v", text, err)
	}
	var keys struct{ Keys []json.RawMessage }
	_, err = w.client.Raw().Query("/.well-known/jwks.json", &keys, nil)
	if err != nil || len(keys.Keys) != 1 {
		t.Errorf("%+v, %v", keys, err)
	}
	if _, err := w.client.Status().RegionLeader("mars"); statusOf(err) != http.StatusInternalServerError ||
		!strings.Contains(err.Error(), "No path to region") {
		t.Errorf("region: %v", err)
	}
	pools, _, err := w.client.NodePools().List(nil)
	if err != nil || len(pools) != 2 {
		t.Errorf("%v, %v", pools, err)
	}
	if nodes, _, err := w.client.NodePools().ListNodes("missing", nil); err != nil || len(nodes) != 0 {
		t.Errorf("%v, %v", nodes, err)
	}
}
