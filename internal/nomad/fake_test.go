package nomad

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// fakeServer answers like a Nomad server, as far as this package asks. It serves where the test environment's can't be brought
// into the state that the test is about; the rest is tested against that one.
type fakeServer struct {
	*httptest.Server

	mu       sync.Mutex
	changed  chan struct{}
	index    uint64
	leader   string // as RPC address
	nodes    map[string]*api.Node
	allocs   []*api.AllocationListStub
	details  map[string]*api.Allocation // by ID
	refuse   map[string]refusal         // by path prefix
	hang     string                     // a path without an answer
	token    *api.ACLToken              // nil: ACLs are off
	policies map[string]*policyRules
	requests []string // method and path
	waited   []uint64 // index of each list of nodes
	polled   []uint64 // and of each list of allocations that may wait
	headers  []http.Header
	logins   []api.ACLLoginRequest
}

type refusal struct {
	code int
	body string
	// times is how often; 0: until it is taken out.
	times int
}

func newFakeServer(t *testing.T) *fakeServer {
	f := &fakeServer{
		changed: make(chan struct{}), index: 10,
		nodes: map[string]*api.Node{}, refuse: map[string]refusal{}, policies: map[string]*policyRules{},
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/nodes", f.listNodes)
	mux.HandleFunc("GET /v1/node/{id}", f.readNode)
	mux.HandleFunc("PUT /v1/node/{id}/drain", f.writeNode)
	mux.HandleFunc("PUT /v1/node/{id}/eligibility", f.writeNode)
	mux.HandleFunc("PUT /v1/node/{id}/purge", f.writeNode)
	mux.HandleFunc("GET /v1/allocations", f.listAllocations)
	mux.HandleFunc("GET /v1/allocation/{id}", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answer(w, f.details[r.PathValue("id")])
	})
	mux.HandleFunc("GET /v1/status/leader", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answer(w, f.leader)
	})
	mux.HandleFunc("PUT /v1/acl/identity/client-introduction-token", func(w http.ResponseWriter, _ *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.answer(w, api.ACLIdentityClientIntroductionTokenResponse{JWT: "jwt"})
	})
	mux.HandleFunc("PUT /v1/acl/login", f.login)
	mux.HandleFunc("GET /v1/acl/token/self", f.self)
	mux.HandleFunc("GET /v1/acl/policies", f.listPolicies)
	mux.HandleFunc("GET /v1/acl/policy/{name}", f.readPolicy)
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		f.requests = append(f.requests, r.Method+" "+r.URL.Path)
		f.headers = append(f.headers, r.Header.Clone())
		if hang := f.hang; hang != "" && strings.HasPrefix(r.URL.Path, hang) {
			f.mu.Unlock()
			<-r.Context().Done()
			return
		}
		for prefix, refusal := range f.refuse {
			if strings.HasPrefix(r.URL.Path, prefix) {
				if refusal.times--; refusal.times == 0 {
					delete(f.refuse, prefix)
				} else if refusal.times > 0 {
					f.refuse[prefix] = refusal
				}
				f.mu.Unlock()
				http.Error(w, refusal.body, refusal.code)
				return
			}
		}
		f.mu.Unlock()
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

// login gives the tokens secret-1, secret-2 and so on, which live for an hour.
func (f *fakeServer) login(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var in api.ACLLoginRequest
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	f.logins = append(f.logins, in)
	expires := time.Now().Add(time.Hour)
	f.answer(w, api.ACLToken{SecretID: fmt.Sprintf("secret-%d", len(f.logins)), CreateTime: time.Now(),
		ExpirationTime: &expires})
}

// change runs do and lets the waiting lists answer with the next index.
func (f *fakeServer) change(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.index++
	do()
	close(f.changed)
	f.changed = make(chan struct{})
}

func (f *fakeServer) locked(do func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	do()
}

// count returns how many requests there were of a method and path.
func (f *fakeServer) count(request string) (n int) {
	f.locked(func() {
		for _, r := range f.requests {
			if r == request {
				n++
			}
		}
	})
	return n
}

func (f *fakeServer) listNodes(w http.ResponseWriter, r *http.Request) {
	f.await(r, &f.waited)
	f.mu.Lock()
	defer f.mu.Unlock()
	stubs := []*api.NodeListStub{}
	for _, n := range f.nodes {
		stubs = append(stubs, &api.NodeListStub{
			ID: n.ID, Name: n.Name, Status: n.Status, SchedulingEligibility: n.SchedulingEligibility,
			Drain: n.DrainStrategy != nil, LastDrain: n.LastDrain, CreateIndex: n.CreateIndex,
			NodeResources: n.NodeResources, ReservedResources: n.ReservedResources,
		})
	}
	f.answer(w, stubs)
}

// await notes the index that a request waits for, and waits.
func (f *fakeServer) await(r *http.Request, noted *[]uint64) {
	index, _ := strconv.ParseUint(r.URL.Query().Get("index"), 10, 64)
	wait, _ := time.ParseDuration(r.URL.Query().Get("wait"))
	f.mu.Lock()
	*noted = append(*noted, index)
	changed, now := f.changed, f.index
	f.mu.Unlock()
	if index != 0 && now == index {
		select {
		case <-changed:
		case <-time.After(wait):
		case <-r.Context().Done():
		}
	}
}

// answer is called with the lock held.
func (f *fakeServer) answer(w http.ResponseWriter, v any) {
	w.Header().Set("X-Nomad-Index", strconv.FormatUint(f.index, 10))
	w.Header().Set("X-Nomad-LastContact", "0")
	w.Header().Set("X-Nomad-KnownLeader", "true")
	_ = json.NewEncoder(w).Encode(v)
}

func (f *fakeServer) readNode(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := f.nodes[r.PathValue("id")]
	if n == nil {
		http.Error(w, "node not found", http.StatusNotFound)
		return
	}
	f.answer(w, n)
}

// writeNode does to the node what Nomad does: a missing one is a 500 here, and the deadline of a drain starts anew.
func (f *fakeServer) writeNode(w http.ResponseWriter, r *http.Request) {
	f.change(func() {
		n := f.nodes[r.PathValue("id")]
		if n == nil {
			http.Error(w, "node not found", http.StatusInternalServerError)
			return
		}
		switch {
		case strings.HasSuffix(r.URL.Path, "/purge"):
			delete(f.nodes, n.ID)
		case strings.HasSuffix(r.URL.Path, "/eligibility"):
			var req api.NodeUpdateEligibilityRequest
			_ = json.NewDecoder(r.Body).Decode(&req)
			if req.Eligibility == api.NodeSchedulingEligible && n.DrainStrategy != nil {
				http.Error(w, "can not set node's scheduling eligibility to eligible while it is draining",
					http.StatusInternalServerError)
				return
			}
			n.SchedulingEligibility = req.Eligibility
		default:
			var req api.NodeUpdateDrainRequest
			_ = json.NewDecoder(r.Body).Decode(&req)
			drainFake(n, req)
		}
		f.answer(w, struct{}{})
	})
}

func drainFake(n *api.Node, req api.NodeUpdateDrainRequest) {
	if req.DrainSpec == nil {
		n.DrainStrategy = nil
		n.LastDrain.Status = api.DrainStatusCanceled
		return
	}
	n.DrainStrategy = &api.DrainStrategy{DrainSpec: *req.DrainSpec}
	if req.DrainSpec.Deadline > 0 {
		n.DrainStrategy.ForceDeadline = time.Now().Add(req.DrainSpec.Deadline)
	}
	n.SchedulingEligibility = api.NodeSchedulingIneligible
	n.LastDrain = &api.DrainMetadata{Status: api.DrainStatusDraining, Meta: req.Meta}
}

func (f *fakeServer) listAllocations(w http.ResponseWriter, r *http.Request) {
	f.await(r, &f.polled)
	f.mu.Lock()
	defer f.mu.Unlock()
	filter := r.URL.Query().Get("filter")
	stubs := []*api.AllocationListStub{}
	for _, a := range f.allocs {
		if strings.HasPrefix(filter, "ID matches") {
			if strings.Contains(filter, a.ID) {
				stubs = append(stubs, a)
			}
			continue
		}
		replaced := a.ClientStatus != api.AllocClientStatusComplete || a.NextAllocation != ""
		if strings.Contains(filter, a.NodeID) && replaced && strings.Contains(filter, strconv.Quote(a.ClientStatus)) {
			stubs = append(stubs, a)
		}
	}
	f.answer(w, stubs)
}

func (f *fakeServer) self(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.token == nil {
		http.Error(w, "ACL support disabled", http.StatusBadRequest)
		return
	}
	f.answer(w, f.token)
}

func (f *fakeServer) listPolicies(w http.ResponseWriter, _ *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	stubs := []*api.ACLPolicyListStub{}
	for name := range f.policies {
		stubs = append(stubs, &api.ACLPolicyListStub{Name: name})
	}
	f.answer(w, stubs)
}

func (f *fakeServer) readPolicy(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := r.PathValue("name")
	f.answer(w, map[string]any{"Name": name, "RulesJSON": f.policies[name]})
}

const (
	nodeA = "aaaaaaaa-0000-4000-8000-000000000001"
	nodeB = "bbbbbbbb-0000-4000-8000-000000000002"
)

func fakeNode(id string) *api.Node {
	return &api.Node{ID: id, Name: "n", Status: NodeReady, SchedulingEligibility: api.NodeSchedulingEligible}
}

// changes counts the calls of OnChange.
type changes struct {
	mu    sync.Mutex
	calls [][]string
}

func (c *changes) note(_ Cluster, ids []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls = append(c.calls, slices.Sorted(slices.Values(ids)))
}

func (c *changes) of(id string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ids := range c.calls {
		if slices.Contains(ids, id) {
			n++
		}
	}
	return n
}

func (c *changes) ofHealth() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, ids := range c.calls {
		if ids == nil {
			n++
		}
	}
	return n
}

// watched returns the cluster at the address, watched in a hurry until the test ends.
func watched(t *testing.T, conn Connection, seen *changes) Cluster {
	t.Helper()
	clusters := NewClusters(Options{
		OnChange: seen.note, PollNodes: 200 * time.Millisecond, MinInterval: 10 * time.Millisecond,
		PollAllocations: 20 * time.Millisecond, AwaitAllocations: 200 * time.Millisecond, CheckToken: time.Second, RequestTimeout: 500 * time.Millisecond,
	})
	ended := make(chan error, 1)
	go func() { ended <- clusters.Start(t.Context()) }()
	t.Cleanup(func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return clusters.Get(conn)
}

// eventually waits for what the watchers do at their own pace.
func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(30 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("not in time: %s", what)
		case <-tick.C:
		}
	}
}
