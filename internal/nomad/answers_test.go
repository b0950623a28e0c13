package nomad

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// answering is a server that has one answer for all.
func answering(t testing.TB, code int, body string) *remote {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	r := newRemote(Connection{Address: server.URL}, 5*time.Second)
	t.Cleanup(r.close)
	return r
}

const someNode = "11111111-1111-4111-8111-111111111111"

// requests are all that reads.
func requests(ctx context.Context, r *remote) map[string]error {
	out := map[string]error{}
	_, _, out["nodes"] = r.listNodes(ctx, 0, 0)
	_, out["node"] = r.info(ctx, someNode)
	_, out["inspection"] = r.inspect(ctx, someNode)
	_, out["allocations"] = r.liveAllocations(ctx, []string{someNode})
	_, out["usage"] = r.usage(ctx, []string{someNode})
	_, out["occupants"] = r.occupants(ctx, &api.Node{ID: someNode})
	_, out["token"] = r.lookAtToken(ctx)
	_, out["roles"] = r.roles(ctx, &api.ACLToken{Roles: []*api.ACLTokenRoleLink{{ID: "r"}}})
	_, out["policies"] = r.policies(ctx)
	_, out["leader"] = r.leader(ctx)
	return out
}

// What no Nomad says is neither believed nor the end of the process.
func TestAnswersThatAreNotNomads(t *testing.T) {
	for name, tt := range map[string]struct {
		body string
		lies []string // what must not be taken for an answer
	}{
		"null in a list": {`[null]`, []string{"nodes", "node", "allocations", "usage", "occupants", "roles", "policies"}},
		"null beside":    {`[{"ID":"` + someNode + `","NodeID":"` + someNode + `","ClientStatus":"running"},null]`, []string{"nodes", "allocations", "usage", "occupants", "roles", "policies"}},
		"null":           {`null`, []string{"node", "inspection", "token"}},
		"a number":       {`7`, []string{"nodes", "node", "allocations", "token", "leader"}},
		"a string":       {`"x"`, []string{"nodes", "node", "allocations", "token"}},
		"a page":         {`<html>`, []string{"nodes", "node", "allocations", "token", "leader"}},
		"nothing":        {``, []string{"nodes", "node", "allocations", "token", "leader"}},
		"half":           {`[{"ID":`, []string{"nodes", "node", "allocations"}},
		"wrong types":    {`[{"ID":7,"TaskStates":[]}]`, []string{"nodes", "node", "allocations"}},
		"deep":           {strings.Repeat("[", 100_000), []string{"nodes", "node", "allocations"}},
	} {
		t.Run(name, func(t *testing.T) {
			errs := requests(t.Context(), answering(t, http.StatusOK, tt.body))
			for _, what := range tt.lies {
				if errs[what] == nil {
					t.Errorf("%s is believed", what)
				}
			}
			for what, err := range errs {
				if text := Cause(errors.Join(err, nil)); err != nil && len(text) > longestQuote+20 {
					t.Errorf("%s: %d bytes in the words for people", what, len(text))
				}
			}
		})
	}
}

// A task of which nothing is known isn't known to be over.
func TestUnknownTaskIsNotDead(t *testing.T) {
	if allDead(&api.AllocationListStub{TaskStates: map[string]*api.TaskState{"t": nil}}) {
		t.Error("a task without a state counts as dead")
	}
}

// Neither a bomb of gzip nor an error without end takes the memory of all pools.
func TestAnswersAreBounded(t *testing.T) {
	var bomb bytes.Buffer
	zip := gzip.NewWriter(&bomb)
	zeros := make([]byte, 1<<20)
	for range 400 {
		if _, err := zip.Write(zeros); err != nil {
			t.Fatal(err)
		}
	}
	if err := zip.Close(); err != nil {
		t.Fatal(err)
	}
	for name, code := range map[string]int{"as an answer": http.StatusOK, "as an error": http.StatusForbidden} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
					w.Header().Set("Content-Encoding", "gzip")
				}
				w.WriteHeader(code)
				_, _ = w.Write(bomb.Bytes())
			}))
			defer server.Close()
			r := newRemote(Connection{Address: server.URL}, 20*time.Second)
			defer r.close()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			_, _, err := r.listNodes(t.Context(), 0, 0)
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Error("it is believed")
			}
			if code != http.StatusOK && len(err.Error()) > 2*largestError {
				t.Errorf("an error of %d bytes", len(err.Error()))
			}
			if took := after.TotalAlloc - before.TotalAlloc; took > 8*largestAnswer {
				t.Errorf("%d MiB were allocated", took>>20)
			}
		})
	}
	endless := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusInternalServerError)
		for {
			if _, err := w.Write(zeros); err != nil {
				return
			}
		}
	}))
	defer endless.Close()
	r := newRemote(Connection{Address: endless.URL}, 20*time.Second)
	defer r.close()
	if _, err := r.info(t.Context(), someNode); err == nil || len(err.Error()) > 2*largestError {
		t.Errorf("an endless error gave %v", err != nil)
	}
}

// Conditions repeat what Nomad says, and no page of somebody else's.
func TestCauseQuotesNomadAlone(t *testing.T) {
	for body, want := range map[string]string{
		"Permission denied":                       "403 Permission denied",
		"<html><body>internal page</body></html>": "403 Forbidden",
		`{"secret": "x"}`:                         "403 Forbidden",
		strings.Repeat("x", 40_000):               "403 Forbidden",
		"a\x00b":                                  "403 Forbidden",
		"1 error occurred:\n\t* node not found\n": "403 1 error occurred: * node not found",
	} {
		_, err := answering(t, http.StatusForbidden, body).info(t.Context(), someNode)
		if got := Cause(err); got != want {
			t.Errorf("%.40q is told as %.80q, want %q", body, got, want)
		}
	}
}

// A watcher that breaks off begins anew.
func TestWatchingGoesOnAfterAPanic(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	c := newCluster(Connection{Address: "http://127.0.0.1:1"}, Options{OnChange: func([]string) {}}.withDefaults())
	c.o.Clock = hurried{c.o.Clock}
	turns := 0
	c.goOn(ctx, func(context.Context) {
		if turns++; turns == 3 {
			cancel()
			return
		}
		panic(fmt.Sprint("turn ", turns))
	})
	if turns != 3 {
		t.Errorf("%d turns", turns)
	}
}

func FuzzAnswers(f *testing.F) {
	for _, seed := range []string{
		`[null]`, `{}`, `[]`, `null`, `"127.0.0.1:4647"`,
		`[{"ID":"` + someNode + `","Status":"ready","Drivers":{"a":null},"LastDrain":null,"NodeResources":{"Cpu":{"CpuShares":1}}}]`,
		`[{"ID":"` + someNode + `","NodeID":"` + someNode + `","ClientStatus":"failed","TaskStates":{"t":null},"AllocatedResources":{"Tasks":{"t":null}}}]`,
		`{"ID":"` + someNode + `","DrainStrategy":{"ForceDeadline":"2026-11-28T12:00:00Z"},"Meta":null,"HTTPAddr":"x"}`,
		`{"AccessorID":"a","Policies":["p"],"Roles":[null]}`, `{"RulesJSON":{"Namespaces":[{"Name":"*"}],"Node":null}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		for what, err := range requests(t.Context(), answering(t, http.StatusOK, body)) {
			if err != nil && strings.Contains(err.Error(), "runtime error") && !errors.Is(err, errUnusable) {
				t.Errorf("%s: %v", what, err)
			}
		}
	})
}
