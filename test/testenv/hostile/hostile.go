// Package hostile has Nomad servers that are broken or mean harm, each in a way of its own.
package hostile

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"
)

// Servers are all kinds, by name.
func Servers() map[string]http.Handler {
	return map[string]http.Handler{
		"nulls":      http.HandlerFunc(nulls),
		"floods":     lists(flood(9_000)),
		"bombs":      bombs(),
		"bodies":     bodies(),
		"hangs":      lists(func(int64) []byte { return []byte("[]") }),
		"flaps":      flaps(),
		"fakes":      lists(same(flood(100_000)(0))),
		"types":      http.HandlerFunc(wrongTypes),
		"redirects":  http.HandlerFunc(redirects),
		"slow-drips": http.HandlerFunc(drips),
		"policies":   policies(),
	}
}

func nulls(w http.ResponseWriter, r *http.Request) {
	answer := "null"
	if strings.HasSuffix(r.URL.Path, "s") { // a list
		answer = "[null]"
	}
	_, _ = io.WriteString(w, answer)
}

// lists answers lists of nodes at once, each other than the one before, and the check of the token. It hangs on the
// rest.
func lists(list func(request int64) []byte) http.Handler {
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/nodes":
			n := requests.Add(1)
			w.Header().Set("X-Nomad-Index", fmt.Sprint(n+10))
			_, _ = w.Write(list(n))
		case "/v1/acl/token/self":
			http.Error(w, "ACL support disabled", http.StatusBadRequest)
		default:
			<-r.Context().Done()
		}
	})
}

// policies gives the token hundreds of policies, each with other rules of some megabytes.
func policies() http.Handler {
	var stubs []string
	for i := range 900 {
		stubs = append(stubs, fmt.Sprintf(`{"Name":"p-%d","ModifyIndex":1}`, i))
	}
	list, long := "["+strings.Join(stubs, ",")+"]", strings.Repeat("n", 180)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/acl/token/self":
			_, _ = io.WriteString(w, `{"AccessorID":"a","Type":"client"}`)
		case "/v1/acl/policies":
			_, _ = io.WriteString(w, list)
		case "/v1/nodes", "/v1/allocations":
			_, _ = io.WriteString(w, "[]")
		default:
			of := strings.TrimPrefix(r.URL.Path, "/v1/acl/policy/")
			_, _ = io.WriteString(w, `{"RulesJSON":{"Namespaces":[`)
			for i := range 15_000 {
				_, _ = fmt.Fprintf(w, `{"Name":"%s-%d-%s"},`, of, i, long)
			}
			_, _ = io.WriteString(w, `{"Name":"*"}]}}`)
		}
	})
}

func same(list []byte) func(int64) []byte { return func(int64) []byte { return list } }

// flood makes lists of nodes that differ all in each request.
func flood(nodes int) func(int64) []byte {
	var versions [2][]byte
	for v := range versions {
		var out bytes.Buffer
		for i := range nodes {
			_, _ = fmt.Fprintf(&out, `%s{"ID":"%08x-0000-4000-8000-%012d","Name":"n%d","Status":"%s","NodePool":"default",`+
				`"SchedulingEligibility":"eligible","CreateIndex":%d}`, separator(i), i, i, i, []string{"ready", "down"}[v], i)
		}
		versions[v] = append(out.Bytes(), ']')
	}
	return func(request int64) []byte { return versions[request%2] }
}

func separator(i int) string {
	if i == 0 {
		return "["
	}
	return ","
}

// bombs answers everything with a gzip of 256 MiB, some as an error.
func bombs() http.Handler {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, `["`)
	for range 256 {
		_, _ = z.Write(bytes.Repeat([]byte("x"), 1<<20))
	}
	_ = z.Close()
	return inTurn(
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(zipped.Bytes())
		},
		func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			w.WriteHeader(http.StatusForbidden)
			_, _ = w.Write(zipped.Bytes())
		})
}

// bodies answers with the pages of proxies and others, of any size and type.
func bodies() http.Handler {
	with := func(code int, kind, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", kind)
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
		}
	}
	return inTurn(with(http.StatusBadGateway, "text/html", strings.Repeat("<p>Bad gateway</p>", 1<<16)),
		with(http.StatusOK, "application/octet-stream", strings.Repeat("\x00\xff\x1b[2J", 1<<16)),
		with(http.StatusForbidden, "text/plain", strings.Repeat("no\n", 1<<20)),
		with(http.StatusInternalServerError, "text/plain", "\x1b]0;title\x07"+strings.Repeat("é", 1<<16)),
		with(http.StatusOK, "application/json", ""), with(http.StatusTeapot, "", "{}"))
}

// flaps is well and refuses in turn, each half a second, with another text each time.
func flaps() http.Handler {
	began := time.Now()
	well := lists(func(int64) []byte { return []byte("[]") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if half := time.Since(began) / (500 * time.Millisecond); half%2 == 1 {
			http.Error(w, fmt.Sprintf("Permission denied, for the %d. time", half), http.StatusForbidden)
			return
		}
		well.ServeHTTP(w, r)
	})
}

func wrongTypes(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, map[string]string{
		"/v1/nodes": `[{"ID":1,"Name":{},"Drain":"yes","CreateIndex":-1}]`, "/v1/acl/token/self": `[]`,
		"/v1/acl/policies": `{"Name":[]}`, "/v1/status/leader": `{}`, "/v1/allocations": `{"a":1e999}`}[r.URL.Path]+`[`)
}

func redirects(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, r.URL.Path+"?again="+strings.Repeat("x", 1000), http.StatusTemporaryRedirect)
}

// drips sends a byte now and then, for ever.
func drips(w http.ResponseWriter, r *http.Request) {
	next := time.NewTicker(100 * time.Millisecond)
	defer next.Stop()
	for r.Context().Err() == nil {
		if _, err := io.WriteString(w, "["); err != nil {
			return
		}
		w.(http.Flusher).Flush()
		<-next.C
	}
}

// inTurn answers by one after the other.
func inTurn(all ...http.HandlerFunc) http.Handler {
	var requests atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		all[requests.Add(1)%int64(len(all))](w, r)
	})
}
