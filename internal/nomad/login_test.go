package nomad

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

const theJWT = "header.payload.signature"

// jwtFile is a file with a text.
func jwtFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// loggedIn is a cluster that nobody watches, and that logs in with the JWT in a file.
func loggedIn(f *fakeServer, file string) *cluster {
	conn := Connection{Address: f.URL, AuthMethod: "harvester", JWTFile: file}
	return newCluster(conn, Options{RequestTimeout: time.Second}.withDefaults(), newShared())
}

func TestRequestsCarryTheTokenOfALogin(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := loggedIn(f, jwtFile(t, theJWT+"\n"))
	if _, err := c.Inspect(t.Context(), nodeA); err != nil {
		t.Fatal(err)
	}
	if err := c.Cordon(t.Context(), nodeA); err != nil {
		t.Fatal(err)
	}
	f.locked(func() {
		if len(f.logins) != 1 || f.logins[0].AuthMethodName != "harvester" || f.logins[0].LoginToken != theJWT {
			t.Errorf("logged in with %+v", f.logins)
		}
		for i, h := range f.headers {
			if want := f.requests[i] != "PUT /v1/acl/login"; (h.Get("X-Nomad-Token") == "secret-1") != want {
				t.Errorf("%s with token %q", f.requests[i], h.Get("X-Nomad-Token"))
			}
		}
	})
}

// The file is read for each login, and what a check found of the former token isn't compared with the new one.
func TestARenewedTokenChangesNothing(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA], f.token = fakeNode(nodeA), &api.ACLToken{Type: managementType, AccessorID: "a"}
	file := jwtFile(t, theJWT)
	c := loggedIn(f, file)
	inspect := func() {
		t.Helper()
		if _, err := c.Inspect(t.Context(), nodeA); err != nil || !c.state.token.OK() {
			t.Fatalf("got %v, %v", err, c.state.token)
		}
	}
	inspect()
	f.locked(func() { f.token = &api.ACLToken{Type: managementType, AccessorID: "b"} })
	if err := os.WriteFile(file, []byte("the.next.one"), 0o600); err != nil {
		t.Fatal(err)
	}
	c.remote.session.renew = time.Time{}
	inspect()
	f.locked(func() {
		if n := len(f.logins); n != 2 || f.logins[1].LoginToken != "the.next.one" {
			t.Errorf("logged in with %+v", f.logins)
		}
	})
}

// What refuses a login is named, without the JWT, and as long as it does nothing else is asked.
func TestRefusedLogins(t *testing.T) {
	long := strings.Repeat("x", maxToken+1)
	for name, c := range map[string]struct {
		file   string // a path, or else the text of a file
		answer refusal
		state  HealthState
		cause  string
	}{
		"no binding": {theJWT, refusal{code: http.StatusBadRequest, body: "no role or policy bindings matched"},
			HealthLoginRefused, "400 no role or policy bindings matched"},
		"unverifiable": {theJWT, refusal{code: http.StatusInternalServerError, body: "unable to validate " + theJWT},
			HealthLoginRefused, "500 unable to validate (the JWT)"},
		"no file": {"/absent", refusal{}, HealthLoginRefused,
			"the file /absent with the ServiceAccount's token can't be read: no such file or directory"},
		"empty":    {" ", refusal{}, HealthLoginRefused, "doesn't hold a ServiceAccount's token and nothing else"},
		"two":      {"a b", refusal{}, HealthLoginRefused, "doesn't hold a ServiceAccount's token and nothing else"},
		"too long": {long, refusal{}, HealthLoginRefused, "doesn't hold a ServiceAccount's token and nothing else"},
		"away":     {theJWT, refusal{code: http.StatusBadGateway, body: "bad gateway"}, HealthUnreachable, "502 bad gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFakeServer(t)
			if c.answer.code != 0 {
				f.refuse["/v1/acl/login"] = c.answer
			}
			file := c.file
			if file[0] != '/' {
				file = jwtFile(t, file)
			}
			clusters := NewClusters(Options{MinInterval: time.Millisecond, PollNodes: time.Second})
			go func() { _ = clusters.Start(t.Context()) }()
			watched := clusters.Get(Connection{Address: f.URL, AuthMethod: "harvester", JWTFile: file})
			eventually(t, "the failure to be told", func() bool { return watched.View().Health.State == c.state })
			h := watched.View().Health
			if !strings.Contains(h.Cause, c.cause) || h.Misconfigured() != (c.state == HealthLoginRefused) ||
				strings.Contains(h.String(), theJWT) {
				t.Errorf("got %s", h)
			}
			err := watched.Purge(t.Context(), nodeA)
			if errors.Is(err, ErrForbidden) != (c.state == HealthLoginRefused) || strings.Contains(err.Error(), theJWT) {
				t.Errorf("got %v", err)
			}
			f.locked(func() {
				for _, r := range f.requests {
					if r != "PUT /v1/acl/login" {
						t.Errorf("without a token: %s", r)
					}
				}
			})
		})
	}
}

// A token that is taken away in Nomad is replaced by the next login.
func TestARevokedTokenIsReplaced(t *testing.T) {
	f := newFakeServer(t)
	f.nodes[nodeA] = fakeNode(nodeA)
	c := loggedIn(f, jwtFile(t, theJWT))
	if err := c.Cordon(t.Context(), nodeA); err != nil {
		t.Fatal(err)
	}
	f.locked(func() {
		f.refuse["/v1/node/"] = refusal{code: http.StatusForbidden, body: "ACL token not found", times: 1}
	})
	if err := c.Cordon(t.Context(), nodeA); !errors.Is(err, ErrForbidden) {
		t.Fatalf("got %v", err)
	}
	c.remote.session.loggedIn = c.remote.session.loggedIn.Add(-loginFloor)
	c.remote.session.renew = c.remote.session.renew.Add(-loginFloor)
	c.remote.doubt()
	if err := c.Cordon(t.Context(), nodeA); err != nil {
		t.Fatal(err)
	}
	f.locked(func() {
		if got := f.headers[len(f.headers)-1].Get("X-Nomad-Token"); got != "secret-2" {
			t.Errorf("with %q", got)
		}
	})
}

// The life of a token is judged by the server's clock alone, and however wrong a server is, there is neither a flood of
// logins nor a token that is never renewed.
func TestLifeOfAToken(t *testing.T) {
	at := time.Unix(0, 0) // a server's clock may be decades off
	until := func(d time.Duration) *time.Time { end := at.Add(d); return &end }
	for _, c := range []struct {
		expires *time.Time
		want    time.Duration
	}{{until(time.Hour), time.Hour}, {until(time.Second), minLife}, {until(-time.Hour), minLife},
		{until(1000 * time.Hour), maxLife}, {nil, minLife}} {
		if got := lifeOf(&api.ACLToken{CreateTime: at, ExpirationTime: c.expires}); got != c.want {
			t.Errorf("until %v: %s, want %s", c.expires, got, c.want)
		}
	}
}
