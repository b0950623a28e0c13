package nomad

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// always answers every request with the same.
type always struct {
	code       int
	kind, body string
}

func (a always) RoundTrip(r *http.Request) (*http.Response, error) {
	header := http.Header{"Content-Type": {a.kind}, "X-Nomad-Index": {"7"}, "X-Nomad-Knownleader": {"true"},
		"X-Nomad-Lastcontact": {"0"}}
	return &http.Response{StatusCode: a.code, Header: header, Body: io.NopCloser(strings.NewReader(a.body)),
		ContentLength: int64(len(a.body)), Request: r}, nil
}

// What real answers look like, and what they would with holes.
var shapes = []string{
	`null`, `[]`, `{}`, `[null]`, `[{},null]`, `"10.0.0.1:4647"`, `7`, ``, `{"RulesJSON":null}`,
	`[{"ID":"` + nodeA +
		`","Name":"p-1","Status":"ready","SchedulingEligibility":"eligible","LastDrain":null,"CreateIndex":7,"NodeResources":{"Cpu":{"CpuShares":4000},"Memory":{"MemoryMB":2048},"Networks":[null]},"ReservedResources":null,"Drivers":{"exec":null}}]`,
	`{"ID":"` + nodeA +
		`","Name":"p-1","Status":"ready","Attributes":null,"Meta":{"harvester_pool_uid":"u","harvester_node":"p-1"},"DrainStrategy":{"Deadline":3600000000000,"ForceDeadline":"2026-11-28T12:00:00Z"},"LastDrain":{"StartedAt":"2026-11-28T12:00:00Z","Status":"draining","Meta":null},"HTTPAddr":"10.0.0.1:4646","NodeResources":{"Devices":[null]},"Events":[null]}`,
	`[{"ID":"a","NodeID":"` + nodeA +
		`","Namespace":"default","JobType":"system","ClientStatus":"failed","CreateTime":-1,"TaskStates":{"web":null,"log":{"State":"dead"}},"AllocatedResources":{"Tasks":{"web":null}}}]`,
	`[{"ID":"a","NodeID":"` + nodeA +
		`","ClientStatus":"running","AllocatedResources":{"Tasks":{"web":{"Cpu":{"CpuShares":9223372036854775807},"Memory":{"MemoryMB":-1}}}}}]`,
	`{"AccessorID":"a","Type":"client","Policies":["p"],"Roles":[null],"ModifyIndex":3,"ExpirationTime":null}`,
	`[{"Name":"p","ModifyIndex":18446744073709551615}]`,
	`{"Name":"p","RulesJSON":{"Namespaces":[{"Name":"*","Policy":"read","Capabilities":null}],"Node":{"Policy":"write"}}}`,
	`{"JWT":"a.b.c"}`, `{"NodeModifyIndex":7,"EvalIDs":null}`,
	`{"LastDrain":{"StartedAt":"` + strings.Repeat("x", 3000) + `"}}`,
	`node not found`, `ACL token not found`, `ACL support disabled`, `No cluster leader`,
}

// recorded are the answers of a Nomad to the kinds of requests, which test/contract/nomad has written.
func recorded(tb testing.TB) map[string]string {
	tb.Helper()
	files, err := filepath.Glob("testdata/answers/*.json")
	if err != nil {
		tb.Fatal(err)
	}
	out := map[string]string{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		kind := strings.ReplaceAll(strings.TrimSuffix(filepath.Base(file), ".json"), "-", " ")
		if honest[kind] == "" {
			tb.Fatalf("%s isn't of a kind of request", file)
		}
		var short bytes.Buffer // so that the fuzzer needn't shorten it
		if err := json.Compact(&short, text); err != nil {
			tb.Fatal(err)
		}
		out[kind] = short.String()
	}
	return out
}

// What a Nomad answers is understood.
func TestRecordedAnswersAreUnderstood(t *testing.T) {
	answers := recorded(t)
	c := answered(t, &except{answers: answers, seen: map[string]int{}})
	nodes, err := c.remote.nodes(t.Context(), 1)
	if n := nodes[nodeA]; err != nil || n.Status != NodeReady || !n.Draining || n.LastDrain == nil ||
		n.LastDrain.DrainID != "i" {
		t.Errorf("nodes %+v, %v", nodes, err)
	}
	in, err := c.Inspect(t.Context(), nodeA)
	if err != nil || !in.Found || in.Node.ForceDeadline.IsZero() || len(in.Live) != 3 {
		t.Errorf("inspected %+v, %v", in, err)
	}
	usage, err := c.Usage(t.Context(), []string{nodeA})
	if u := usage[nodeA]; err != nil || u.Allocations != 3 || u.SystemAllocations != 1 || u.CPU != 60 || u.MemoryMB != 48 {
		t.Errorf("usage %+v, %v", usage, err)
	}
	if stop, err := c.StopTime(t.Context(), nodeA); err != nil || stop != time.Second {
		t.Errorf("stops within %s, %v", stop, err)
	}
}

// Whatever a server answers, nothing of it ends the process, and nothing is believed that can't be what was asked for.
func FuzzServerAnswers(f *testing.F) {
	for _, body := range shapes {
		for _, code := range []uint16{200, 403, 404, 500} {
			f.Add(code-100, "text/plain", body)
		}
	}
	for _, body := range recorded(f) {
		f.Add(uint16(200-100), "application/json", body)
	}
	f.Fuzz(func(t *testing.T, code uint16, kind, body string) {
		ask(t, answered(t, always{int(code)%500 + 100, kind, body}))
	})
}

const nextAlloc = "cccccccc-0000-4000-8000-000000000001"

// honest is what a server answers to each kind of request that there is, so that all of them are sent.
var honest = map[string]string{
	"list nodes": `[{"ID":"` + nodeA +
		`","Name":"p-1","Status":"ready","SchedulingEligibility":"eligible","LastDrain":{"Status":"complete","Meta":{"harvester_drain_id":"i"}},"NodeResources":{"Cpu":{"CpuShares":4000},"Memory":{"MemoryMB":2048}},"ReservedResources":{"Cpu":{"CpuShares":1}}}]`,
	"read node": `{"ID":"` + nodeA +
		`","Status":"ready","DrainStrategy":{"Deadline":3600000000000},"LastDrain":{"Status":"draining","Meta":{"harvester_drain_id":"i"}},"HTTPAddr":"10.0.0.1:4646"}`,
	"list allocations": `[{"ID":"a","NodeID":"` + nodeA + `","ClientStatus":"complete","NextAllocation":"` +
		nextAlloc + `"},{"ID":"b","NodeID":"` + nodeA +
		`","ClientStatus":"failed","TaskStates":{"t":{"State":"running"}},"AllocatedResources":{"Tasks":{"t":{"Cpu":{"CpuShares":1}}}}}]`,
	"list next": `[{"ID":"` + nextAlloc + `","NodeID":"` + nodeB +
		`","JobID":"db","TaskGroup":"g","ClientStatus":"pending","DesiredStatus":"run","CreateIndex":9,"TaskStates":{"t":{"State":"pending","Events":[{"Type":"Received"}]}}}]`,
	"read allocation": `{"ID":"` + nextAlloc +
		`","Job":{"ID":"db","CreateIndex":3,"TaskGroups":[{"Name":"g","EphemeralDisk":{"Migrate":true}}]}}`,
	"allocations of node": `[{"ID":"b","ClientStatus":"running","TaskGroup":"g","Job":{"TaskGroups":[{"Name":"g","ShutdownDelay":1,"Tasks":[{"Name":"t","KillTimeout":5,"Leader":true,"Lifecycle":{"Hook":"prestart","Sidecar":true}}]}]}}]`,
	"read token":          `{"AccessorID":"a","Type":"client","Policies":["p"],"Roles":[{"ID":"r"}],"ModifyIndex":3}`,
	"list roles":          `[{"ID":"r","ModifyIndex":4}]`,
	"list policies":       `[{"Name":"p","ModifyIndex":5}]`,
	"read policy":         `{"Name":"p","RulesJSON":{"Namespaces":[{"Name":"*","Capabilities":["read-job"]}],"Node":{"Policy":"write"}}}`,
	"leader":              `"10.0.0.1:4647"`,
	"introduction token":  `{"JWT":"a.b.c"}`,
	"writes":              `{"NodeModifyIndex":7,"EvalIDs":[]}`,
}

// kindOfRequest is the key of the honest answer.
func kindOfRequest(r *http.Request) string {
	path := strings.TrimPrefix(r.URL.Path, "/v1/")
	switch {
	case path == "nodes":
		return "list nodes"
	case path == "node/"+nodeA:
		return "read node"
	case path == "node/"+nodeA+"/allocations":
		return "allocations of node"
	case path == "allocations" && strings.HasPrefix(r.URL.Query().Get("filter"), "ID matches"):
		return "list next"
	case path == "allocations":
		return "list allocations"
	case strings.HasPrefix(path, "allocation/"):
		return "read allocation"
	case path == "acl/token/self":
		return "read token"
	case path == "acl/roles":
		return "list roles"
	case path == "acl/policies":
		return "list policies"
	case strings.HasPrefix(path, "acl/policy/"):
		return "read policy"
	case path == "status/leader":
		return "leader"
	case r.Method == http.MethodPut && strings.HasPrefix(path, "acl/identity/"):
		return "introduction token"
	case r.Method == http.MethodPut:
		return "writes"
	}
	return ""
}

// except answers honestly, but for one kind of request.
type except struct {
	kind, body string
	answers    map[string]string // in place of the honest ones
	mu         sync.Mutex
	seen       map[string]int
}

func (e *except) RoundTrip(r *http.Request) (*http.Response, error) {
	kind := kindOfRequest(r)
	e.mu.Lock()
	e.seen[kind]++
	e.mu.Unlock()
	if kind == e.kind {
		return always{http.StatusOK, "application/json", e.body}.RoundTrip(r)
	}
	body := honest[kind]
	if other, ok := e.answers[kind]; ok {
		body = other
	}
	return always{http.StatusOK, "application/json", body}.RoundTrip(r)
}

func answered(t *testing.T, by http.RoundTripper) *cluster {
	return answeredWith(t, by, newShared())
}

// servers has each of them have an address of its own.
var servers atomic.Int64

func answeredWith(t *testing.T, by http.RoundTripper, all shared) *cluster {
	t.Helper()
	at := fmt.Sprintf("http://nomad-%d.invalid", servers.Add(1))
	c := newCluster(Connection{Address: at}, Options{}.withDefaults(), all)
	client, err := api.NewClient(&api.Config{Address: at,
		HttpClient: &http.Client{Transport: boundedBy(by, newLargeTurns(c.o.Clock, all, c.address))}})
	if err != nil {
		t.Fatal(err)
	}
	c.remote.api = client
	return c
}

func TestAllRequestsAreSentToAnHonestServer(t *testing.T) {
	e := &except{seen: map[string]int{}}
	c := answered(t, e)
	ask(t, c)
	for kind := range honest {
		if e.seen[kind] == 0 {
			t.Errorf("no request to %s", kind)
		}
	}
	if e.seen[""] > 0 {
		t.Errorf("%d requests that nobody knows", e.seen[""])
	}
	if live, err := c.remote.live(t.Context(), []string{nodeA}); err != nil || len(live[nodeA]) != 1 ||
		live[nodeA][0].MovingTo != nextAlloc {
		t.Errorf("got %+v, %v", live, err)
	}
}

// A request that comes after others is only sent if these were answered well.
func FuzzOneServerAnswer(f *testing.F) {
	kinds, answers := slices.Sorted(maps.Keys(honest)), recorded(f)
	for i, kind := range kinds {
		if body, ok := answers[kind]; ok {
			f.Add(uint(i), body)
		}
		f.Add(uint(i), honest[kind])
		for _, hole := range holes(honest[kind]) {
			f.Add(uint(i), hole)
		}
	}
	f.Fuzz(func(t *testing.T, kind uint, body string) {
		ask(t, answered(t, &except{kind: kinds[kind%uint(len(kinds))], body: body, seen: map[string]int{}}))
	})
}

// holes are the text with a null in place of each of its values in turn.
func holes(text string) (out []string) {
	var whole any
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		panic(err)
	}
	var dig func(at any, put func(any))
	dig = func(at any, put func(any)) {
		put(nil)
		punched, err := json.Marshal(whole)
		if err != nil {
			panic(err)
		}
		out = append(out, string(punched))
		put(at)
		switch at := at.(type) {
		case map[string]any:
			for _, k := range slices.Sorted(maps.Keys(at)) {
				dig(at[k], func(v any) { at[k] = v })
			}
		case []any:
			for i := range at {
				dig(at[i], func(v any) { at[i] = v })
			}
		}
	}
	dig(whole, func(v any) { whole = v })
	return out
}

// ask sends every kind of request there is.
func ask(t *testing.T, c *cluster) {
	nodes, err := c.remote.nodes(t.Context(), 1)
	modest(t, err)
	for id, n := range nodes {
		if id != n.ID || checkNodeID(id) != nil {
			t.Errorf("listed %q as %q", n.ID, id)
		}
	}
	c.state.listed(nodes, time.Now())
	_, err = c.checkToken(t.Context())
	modest(t, err)
	in, err := c.Inspect(t.Context(), nodeA)
	modest(t, err)
	if in.Found && in.Node.ID != nodeA {
		t.Errorf("found %q", in.Node.ID)
	}
	live, err := c.remote.live(t.Context(), []string{nodeA})
	modest(t, err)
	c.state.polled(live, time.Now(), err)
	c.state.breaker = breaker{} // so that all requests are sent
	_, err = c.Usage(t.Context(), []string{nodeA})
	modest(t, err)
	stop, err := c.StopTime(t.Context(), nodeA)
	modest(t, err)
	if stop < 0 || stop > maxStopTime {
		t.Errorf("stops within %s", stop)
	}
	_, err = c.Drain(t.Context(), nodeA, DrainOptions{DrainID: "i", Remaining: time.Hour})
	modest(t, err)
	c.state.breaker = breaker{} // so that all requests are sent
	modest(t, c.ResendDrain(t.Context(), nodeA, DrainOptions{DrainID: "i"}))
	modest(t, c.Cordon(t.Context(), nodeA))
	modest(t, c.Uncordon(t.Context(), nodeA))
	c.state.breaker = breaker{} // so that all requests are sent
	modest(t, c.CancelDrain(t.Context(), nodeA))
	modest(t, c.Purge(t.Context(), nodeA))
	jwt, _, err := c.IntroductionToken(t.Context(), "p-1", "default", time.Minute)
	modest(t, err)
	if len(jwt) > maxToken {
		t.Errorf("a token of %d bytes", len(jwt))
	}
	c.noteLeader(t.Context())
	if c.shared.large.free() != largeAtOnce {
		t.Fatal("a turn wasn't given back")
	}
}

// modest checks that an error neither floods a log nor a condition.
func modest(t *testing.T, err error) {
	if err == nil {
		return
	}
	if len(err.Error()) > maxError+len("…") || len(Cause(err)) > maxQuote+len("599 ") {
		t.Errorf("an error of %d bytes, cause %d", len(err.Error()), len(Cause(err)))
	}
}
