package nomad_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// plant is a difference between Nomad and what the behaviours see of it.
type plant struct {
	name string
	// method and path say which answers change; path is a pattern.
	method, path string
	// request changes what is asked, answer what is answered; either may be nil.
	request func(*http.Request)
	answer  func(*http.Response, string) string
	// finds are behaviours that must notice.
	finds []string
}

// status plants an answer of another status with another text.
func status(from, to int, text string) func(*http.Response, string) string {
	return func(r *http.Response, body string) string {
		if r.StatusCode != from {
			return body
		}
		r.StatusCode, r.Status = to, strconv.Itoa(to)
		return text
	}
}

// words plants other words in good answers.
func words(old, changed string) func(*http.Response, string) string {
	pattern := regexp.MustCompile(old)
	return func(r *http.Response, body string) string { return pattern.ReplaceAllString(body, changed) }
}

// without plants the loss of a parameter.
func without(parameter string) func(*http.Request) {
	return func(r *http.Request) {
		q := r.URL.Query()
		q.Del(parameter)
		r.URL.RawQuery = q.Encode()
	}
}

// asks plants another body of the request.
func asks(old, changed string) func(*http.Request) {
	pattern := regexp.MustCompile(old)
	return func(r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the proxy's own answer is a difference, too
		}
		text := pattern.ReplaceAllString(string(body), changed)
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	}
}

const (
	nodesPath = `^/v1/nodes$`
	nodePath  = `^/v1/node/[0-9a-f-]{36}$`
	drainPath = `^/v1/node/[0-9a-f-]{36}/drain$`
	purgePath = `^/v1/node/[0-9a-f-]{36}/purge$`
	varPath   = `^/v1/var/`
)

var plainPlants = []plant{
	{name: "a lock that is held is an error of the server", method: "PUT", path: varPath,
		answer: status(409, 500, "locked"), finds: []string{"lock-that-is-held-conflicts", "lock-renewed-by-its-holder"}},
	{name: "a lock is given without its ID", method: "PUT", path: varPath, answer: words(`"ID":"[^"]*"`, `"ID":""`),
		finds: []string{"lock-makes-its-variable"}},
	{name: "whoever renews may", method: "PUT", path: varPath, answer: status(409, 200, `{"Path":""}`),
		finds: []string{"lock-released-is-free-at-once", "lock-that-isnt-there-isnt-renewed"}},
	{name: "a missing node is a 500 for readers", method: "GET", path: nodePath, answer: status(404, 500, notThere),
		finds: []string{"read-missing-node-404"}},
	{name: "purge of a missing node is a 404", method: "PUT", path: purgePath, answer: status(500, 404, notThere),
		finds: []string{"purge-of-missing-node-500"}},
	{name: "purge of a missing node has other words", method: "PUT", path: purgePath,
		answer: status(500, 500, "no such node"), finds: []string{"purge-of-missing-node-500"}},
	{name: "drain of a missing node is a 404", method: "PUT", path: drainPath, answer: status(500, 404, notThere),
		finds: []string{"drain-of-missing-node-500"}},
	{name: "a bad filter is a 500", method: "GET", path: nodesPath, answer: status(400, 500, "filter"),
		finds: []string{"list-filter-dotted-key-fails", "list-filter-unknown-field-fails"}},
	{name: "a bad filter matches nothing", method: "GET", path: nodesPath, answer: status(400, 200, "[]"),
		finds: []string{"list-filter-syntax-error-fails", "list-filter-drain-strategy-fails"}},
	{name: "filters are ignored", method: "GET", path: nodesPath, request: without("filter"),
		finds: []string{"list-filter-meta-bracket", "list-filter-class"}},
	{name: "prefixes are ignored", method: "GET", path: nodesPath, request: without("prefix"),
		finds: []string{"list-odd-prefix-fails"}},
	{name: "pages are endless", method: "GET", path: nodesPath, request: without("per_page"),
		finds: []string{"list-pages-in-order-of-id"}},
	{
		name:    "the index of lists never grows",
		method:  "GET",
		path:    nodesPath,
		request: without("index"),
		answer: func(r *http.Response, body string) string {
			r.Header.Set("X-Nomad-Index", "7")
			return body
		},
		finds: []string{"list-blocks-until-a-node-changes"},
	},
	{name: "reads never block", method: "GET", path: nodePath, request: without("index"),
		finds: []string{"read-blocks-no-longer-than-asked"}},
	{name: "lists have no index", method: "GET", path: nodesPath, answer: func(r *http.Response, body string) string {
		r.Header.Set("X-Nomad-Index", "0")
		return body
	}, finds: []string{"list-answers-an-index-and-a-leader"}},
	{name: "lists have no resources", method: "GET", path: nodesPath, request: without("resources"),
		finds: []string{"list-resources-when-asked"}},
	{
		name:   "lists have no address",
		method: "GET",
		path:   nodesPath,
		answer: words(`"Address":"[^"]*"`, `"Address":""`),
		finds:  []string{"list-shows-address-version-drivers"},
	},
	{
		name:    "the meta of a drain is lost",
		method:  "PUT",
		path:    drainPath,
		request: asks(`"owner":"us"`, `"owner":"them"`),
		finds:   []string{"drain-meta-is-kept-to-the-end", "drain-meta-is-kept-by-an-update-without"},
	},
	{
		name:    "a deadline of 0 is an hour",
		method:  "PUT",
		path:    drainPath,
		request: asks(`"Deadline":0`, `"Deadline":3600000000000`),
		finds:   []string{"drain-without-deadline-has-none"},
	},
	{
		name:    "a deadline below 0 is an hour",
		method:  "PUT",
		path:    drainPath,
		request: asks(`"Deadline":-1`, `"Deadline":3600000000000`),
		finds:   []string{"drain-below-zero-forces-now"},
	},
	{
		name:    "system jobs aren't ignored",
		method:  "PUT",
		path:    drainPath,
		request: asks(`"IgnoreSystemJobs":true`, `"IgnoreSystemJobs":false`),
		finds:   []string{"drain-may-leave-system-jobs"},
	},
	{
		name:    "a cancelled drain makes eligible",
		method:  "PUT",
		path:    drainPath,
		request: asks(`"MarkEligible":false`, `"MarkEligible":true`),
		finds:   []string{"drain-cancelled"},
	},
	{
		name:   "the last drain is never cancelled",
		method: "GET",
		path:   nodePath,
		answer: words(`"Status":"canceled"`, `"Status":"complete"`),
		finds:  []string{"drain-cancelled"},
	},
	{
		name:   "the deadline stays",
		method: "GET",
		path:   nodePath,
		answer: words(`"ForceDeadline":"[^"]*"`, `"ForceDeadline":"2040-01-01T00:00:00Z"`),
		finds:  []string{"drain-deadline-is-counted-anew-by-each-request", "drain-deadline-in-force-is-now-plus-it"},
	},
	{
		name:   "eligibility is never told",
		method: "GET",
		path:   nodePath,
		answer: words(`"SchedulingEligibility":"ineligible"`, `"SchedulingEligibility":"eligible"`),
		finds:  []string{"drain-of-an-empty-node-completes-soon"},
	},
	{
		name:   "allocations have no job type",
		method: "GET",
		path:   `^/v1/allocations$`,
		answer: words(`"JobType":"[^"]*"`, `"JobType":""`),
		finds:  []string{"allocs-of-two-nodes-alive"},
	},
	{
		name:   "a missing pool's nodes are a 404",
		method: "GET",
		path:   `^/v1/node/pool/.*/nodes$`,
		answer: status(200, 404, "node pool not found"),
		finds:  []string{"pool-missing-has-no-nodes"},
	},
	{name: "the stream has no nodes", method: "GET", path: `^/v1/event/stream$`, request: func(r *http.Request) {
		q := r.URL.Query()
		q["topic"] = []string{"Node:none"}
		r.URL.RawQuery = q.Encode()
	}, finds: []string{"stream-node-registration"}},
}

var aclPlants = []plant{
	{
		name:   "who may not read jobs sees none",
		method: "GET",
		path:   `^/v1/allocations$`,
		answer: status(403, 200, "[]"),
		finds:  []string{"acl-allocations-everywhere-are-refused"},
	},
	{
		name:   "a second bootstrap is a 403",
		method: "PUT",
		path:   `^/v1/acl/bootstrap$`,
		answer: status(400, 403, denied),
		finds:  []string{"acl-bootstraps-once"},
	},
	{name: "anonymous is unauthorized", method: "GET", path: nodesPath, answer: status(403, 401, denied),
		finds: []string{"acl-anonymous-is-denied"}},
	{
		name:   "policies aren't parsed",
		method: "GET",
		path:   `^/v1/acl/policy/`,
		answer: words(`"RulesJSON":`, `"Parsed":`),
		finds:  []string{"acl-policy-rules-as-json"},
	},
	{
		name:   "logins never end",
		method: "PUT",
		path:   `^/v1/acl/login$`,
		answer: words(`"ExpirationTime":"[^"]*"`, `"ExpirationTime":null`),
		finds:  []string{"login-with-a-service-account"},
	},
}

// TestPlantedDifferences puts each difference between a server and the behaviours that must notice, and wants them
// to; the same behaviours must hold when nothing is planted.
func TestPlantedDifferences(t *testing.T) {
	for name, of := range map[string]struct {
		acl    bool
		plants []plant
	}{"plain": {false, plainPlants}, "acl": {true, aclPlants}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, nomad.ServerOptions{ACL: of.acl})
			for _, planted := range of.plants {
				for _, found := range planted.finds {
					t.Run(planted.name+"/"+found, func(t *testing.T) {
						t.Parallel()
						b := named(t, found)
						if err := b.watch(t.Context(), through(t, p, plant{path: "^$"}), timeout); err != nil {
							t.Fatalf("with nothing planted: %v", err)
						}
						err := b.watch(t.Context(), through(t, p, planted), 4*time.Second)
						if err == nil {
							t.Fatal("the difference isn't found")
						}
						t.Log(err)
					})
				}
			}
		})
	}
}

func named(t *testing.T, name string) behaviour {
	t.Helper()
	for _, s := range sites() {
		for _, b := range s.behaviours {
			if b.name == name {
				return b
			}
		}
	}
	t.Fatalf("there is no behaviour %s", name)
	return behaviour{}
}

// through is the server behind a proxy that plants a difference. The clients that behaviours start go past it.
func through(t *testing.T, p *place, planted plant) *place {
	t.Helper()
	target, err := url.Parse(p.addr)
	if err != nil {
		t.Fatal(err)
	}
	path := regexp.MustCompile(planted.path)
	meant := func(r *http.Request) bool { return r.Method == planted.method && path.MatchString(r.URL.Path) }
	proxy := httptest.NewServer(&httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(target)
			r.Out.Header.Set("Accept-Encoding", "identity")
			if planted.request != nil && meant(r.In) {
				planted.request(r.Out)
			}
		},
		ModifyResponse: func(r *http.Response) error {
			if planted.answer == nil || !meant(r.Request) {
				return nil
			}
			body, err := io.ReadAll(r.Body)
			if err != nil {
				return fmt.Errorf("read what is to be changed: %w", err)
			}
			text := planted.answer(r, string(body))
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader([]byte(text))), int64(len(text))
			r.Header.Set("Content-Length", strconv.Itoa(len(text)))
			return nil
		},
	})
	t.Cleanup(func() {
		proxy.CloseClientConnections()
		proxy.Close()
	})
	client, err := api.NewClient(&api.Config{Address: proxy.URL, Region: nomad.Region, SecretID: p.Token})
	if err != nil {
		t.Fatal(err)
	}
	behind := *p
	behind.addr, behind.api = proxy.URL, client
	return &behind
}
