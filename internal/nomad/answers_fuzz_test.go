package nomad

import (
	"io"
	"net/http"
	"strings"
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
	header := http.Header{"Content-Type": {a.kind}, "X-Nomad-Index": {"7"}, "X-Nomad-Knownleader": {"true"}, "X-Nomad-Lastcontact": {"0"}}
	return &http.Response{StatusCode: a.code, Header: header, Body: io.NopCloser(strings.NewReader(a.body)), Request: r}, nil
}

// What real answers look like, and what they would with holes.
var shapes = []string{
	`null`, `[]`, `{}`, `[null]`, `[{},null]`, `"10.0.0.1:4647"`, `7`, ``, `{"RulesJSON":null}`,
	`[{"ID":"` + nodeA + `","Name":"p-1","Status":"ready","SchedulingEligibility":"eligible","LastDrain":null,"CreateIndex":7,"NodeResources":{"Cpu":{"CpuShares":4000},"Memory":{"MemoryMB":2048},"Networks":[null]},"ReservedResources":null,"Drivers":{"exec":null}}]`,
	`{"ID":"` + nodeA + `","Name":"p-1","Status":"ready","Attributes":null,"Meta":{"harvester_pool_uid":"u","harvester_node":"p-1"},"DrainStrategy":{"Deadline":3600000000000,"ForceDeadline":"2026-11-28T12:00:00Z"},"LastDrain":{"StartedAt":"2026-11-28T12:00:00Z","Status":"draining","Meta":null},"HTTPAddr":"10.0.0.1:4646","NodeResources":{"Devices":[null]},"Events":[null]}`,
	`[{"ID":"a","NodeID":"` + nodeA + `","Namespace":"default","JobType":"system","ClientStatus":"failed","CreateTime":-1,"TaskStates":{"web":null,"log":{"State":"dead"}},"AllocatedResources":{"Tasks":{"web":null}}}]`,
	`[{"ID":"a","NodeID":"` + nodeA + `","ClientStatus":"running","AllocatedResources":{"Tasks":{"web":{"Cpu":{"CpuShares":9223372036854775807},"Memory":{"MemoryMB":-1}}}}}]`,
	`{"AccessorID":"a","Type":"client","Policies":["p"],"Roles":[null],"ModifyIndex":3,"ExpirationTime":null}`,
	`[{"Name":"p","ModifyIndex":18446744073709551615}]`,
	`{"Name":"p","RulesJSON":{"Namespaces":[{"Name":"*","Policy":"read","Capabilities":null}],"Node":{"Policy":"write"}}}`,
	`{"JWT":"a.b.c"}`, `{"NodeModifyIndex":7,"EvalIDs":null}`, `{"LastDrain":{"StartedAt":"` + strings.Repeat("x", 3000) + `"}}`,
	`node not found`, `ACL token not found`, `ACL support disabled`, `No cluster leader`,
}

// Whatever a server answers, nothing of it ends the process, and nothing is believed that can't be what was asked for.
func FuzzServerAnswers(f *testing.F) {
	for _, body := range shapes {
		for _, code := range []uint16{200, 403, 404, 500} {
			f.Add(code, "text/plain", body)
		}
	}
	f.Fuzz(func(t *testing.T, code uint16, kind, body string) {
		answers := always{int(code)%500 + 100, kind, body}
		client, err := api.NewClient(&api.Config{Address: "http://nomad.invalid", HttpClient: &http.Client{Transport: boundedBy(answers)}})
		if err != nil {
			t.Fatal(err)
		}
		c := newCluster(Connection{Address: "http://nomad.invalid"}, Options{}.withDefaults())
		c.remote.api = client
		ask(t, c)
	})
}

// ask sends every kind of request there is.
func ask(t *testing.T, c *cluster) {
	nodes, _, err := c.remote.listNodes(t.Context(), 1, time.Second)
	modest(t, err)
	for id, n := range nodes {
		if id != n.ID || checkNodeID(id) != nil {
			t.Errorf("listed %q as %q", n.ID, id)
		}
	}
	c.state.listed(nodes, time.Now())
	_, err = c.lookAtToken(t.Context())
	modest(t, err)
	in, err := c.Inspect(t.Context(), nodeA)
	modest(t, err)
	if in.Found && in.Node.ID != nodeA {
		t.Errorf("found %q", in.Node.ID)
	}
	live, err := c.remote.liveAllocations(t.Context(), []string{nodeA})
	modest(t, err)
	c.state.polled(live, time.Now())
	_, err = c.Usage(t.Context(), []string{nodeA})
	modest(t, err)
	_, err = c.Drain(t.Context(), nodeA, DrainRequest{IntentID: "i", Remaining: time.Hour})
	modest(t, err)
	modest(t, c.KickDrain(t.Context(), nodeA, DrainRequest{IntentID: "i"}))
	modest(t, c.Cordon(t.Context(), nodeA))
	modest(t, c.Uncordon(t.Context(), nodeA))
	modest(t, c.CancelDrain(t.Context(), nodeA))
	modest(t, c.Purge(t.Context(), nodeA))
	jwt, _, err := c.IntroductionToken(t.Context(), "p-1", "default", time.Minute)
	modest(t, err)
	if len(jwt) > maxToken {
		t.Errorf("a token of %d bytes", len(jwt))
	}
	c.noteLeader(t.Context())
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
