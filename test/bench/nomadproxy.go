package main

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"time"
)

// nomadProxy is a way to Nomad that notes each request.
type nomadProxy struct {
	server *httptest.Server

	mu       sync.Mutex
	requests []nomadRequest
}

type nomadRequest struct {
	time time.Time
	what string // the method and the first parts of the path, without IDs
}

// startNomadProxy serves in front of the Nomad at an address, until close.
func startNomadProxy(address string) (*nomadProxy, error) {
	target, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	p := &nomadProxy{}
	forward := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		FlushInterval: -1,
		// A controller that stops leaves requests that wait.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	p.server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.requests = append(p.requests, nomadRequest{time.Now(), r.Method + " " + nomadResource(r.URL.Path)})
		p.mu.Unlock()
		forward.ServeHTTP(w, r)
	}))
	return p, nil
}

func (p *nomadProxy) url() string { return p.server.URL }

func (p *nomadProxy) close() {
	p.server.CloseClientConnections()
	p.server.Close()
}

// since counts the requests that came at a time or later, of each kind.
func (p *nomadProxy) since(start time.Time) (count int, kinds map[string]int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	kinds = map[string]int{}
	for _, r := range p.requests {
		if !r.time.Before(start) {
			count++
			kinds[r.what]++
		}
	}
	return count, kinds
}

// nomadResource is a path without the ID in it: v1/node/0e5f/drain is v1/node/drain.
func nomadResource(path string) string {
	parts := strings.Split(strings.Trim(path, "/"), "/")
	if len(parts) > 2 && (parts[1] == "node" || parts[1] == "allocation" || parts[1] == "job") {
		parts = append(parts[:2:2], parts[3:]...)
	}
	return strings.Join(parts, "/")
}
