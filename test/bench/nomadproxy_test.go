package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestNomadProxyCountsWhatItForwards(t *testing.T) {
	nomad := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = fmt.Fprint(w, r.URL.String())
	}))
	defer nomad.Close()
	p, err := startNomadProxy(nomad.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	get := func(path string) {
		t.Helper()
		answer, err := http.Get(p.url() + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = answer.Body.Close() }()
		if got, err := io.ReadAll(answer.Body); err != nil || string(got) != path {
			t.Errorf("%s became %q, %v", path, got, err)
		}
	}
	get("/v1/nodes?index=7")
	later := time.Now()
	get("/v1/node/one/drain")
	get("/v1/node/two/drain")
	if count, kinds := p.since(later); count != 2 || kinds["GET v1/node/drain"] != 2 {
		t.Errorf("%d requests: %v", count, kinds)
	}
	if count, _ := p.since(time.Time{}); count != 3 {
		t.Errorf("%d requests in all", count)
	}
}
