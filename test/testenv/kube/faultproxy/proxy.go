package faultproxy

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"sync"
	"time"
)

// Effect is what a Fault does to a request, after its delay.
type Effect int

const (
	// Pass lets the request happen: a fault with this effect only delays.
	Pass Effect = iota
	// Refuse breaks the connection before the request reaches the API server.
	Refuse
	// LoseAnswer lets the request happen and breaks the connection instead of answering.
	LoseAnswer
)

// Fault is a rule about requests. Of several that match, the first injected one acts.
type Fault struct {
	// Match selects requests, which have arrived whole; nil selects all. It is called concurrently.
	Match func(*http.Request) bool
	// Delay holds the request back first.
	Delay time.Duration
	// Status, if not zero, is answered in place of the API server.
	Status int
	// Effect applies if Status is zero.
	Effect Effect
	// Times is how many requests are hit before the fault is spent; zero means no limit.
	Times int
}

// Write is a request that isn't a read or a dry run, and that the API server has answered.
type Write struct {
	Time         time.Time
	Method, Path string
	// UserAgent tells the caller's programs apart.
	UserAgent string
	// Status is the HTTP status of the answer.
	Status int
}

// Proxy serves until Close.
type Proxy struct {
	// URL is its address, https on 127.0.0.1.
	URL string

	server  *http.Server
	forward *httputil.ReverseProxy

	mu     sync.Mutex
	faults []*armed
	writes []Write
	// epoch ends when connections are cut: all requests of that time are aborted.
	epoch context.Context
	cut   context.CancelFunc
}

type armed struct {
	Fault
	hits int
}

// Start serves on a free port of 127.0.0.1 with the given certificate, in front of target. Credentials in
// headers pass through; client certificates can't.
func Start(target *url.URL, serving tls.Certificate, transport http.RoundTripper) (*Proxy, error) {
	listener, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("fault proxy: %w", err)
	}
	p := &Proxy{URL: "https://" + listener.Addr().String()}
	p.epoch, p.cut = context.WithCancel(context.Background())
	silent := log.New(io.Discard, "", 0) // aborted connections are its purpose
	p.forward = &httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:      transport,
		FlushInterval:  -1, // watches
		ModifyResponse: p.answered,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       silent,
	}
	p.server = &http.Server{
		Handler:           p,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{serving}, MinVersion: tls.VersionTLS12},
		ReadHeaderTimeout: 10 * time.Second,
		ErrorLog:          silent,
	}
	go func() { _ = p.server.ServeTLS(listener, "", "") }() // returns when closed
	return p, nil
}

// Close ends the proxy and every connection through it.
func (p *Proxy) Close() error {
	p.Cut()
	return p.server.Close()
}

// Inject arms a fault and returns what disarms it.
func (p *Proxy) Inject(f Fault) (remove func()) {
	a := &armed{Fault: f}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, a)
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.faults = slices.DeleteFunc(p.faults, func(other *armed) bool { return other == a })
	}
}

// Cut aborts all requests under way, watches among them; of a write that the API server has already, it loses the
// answer. New ones are served again.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut()
	p.epoch, p.cut = context.WithCancel(context.Background())
}

// Partition cuts the connections and refuses new requests until heal is called.
func (p *Proxy) Partition() (heal func()) {
	heal = p.Inject(Fault{Effect: Refuse})
	p.Cut()
	return heal
}

// Writes returns the answered requests so far that weren't reads, in order.
func (p *Proxy) Writes() []Write {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.writes)
}

// strike returns the fault for a request, if there is one, and counts the hit.
func (p *Proxy) strike(r *http.Request) (f Fault, struck bool, epoch context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, a := range p.faults {
		if a.Times > 0 && a.hits >= a.Times {
			continue
		}
		if a.Match == nil || a.Match(r) {
			a.hits++
			return a.Fault, true, p.epoch
		}
	}
	return Fault{}, false, p.epoch
}

// lostKey is the key of a func() bool in the context of a forwarded request: whether its answer is to be lost.
type lostKey struct{}

// ServeHTTP applies the faults and forwards. A write that is forwarded runs to its end, so that Writes has each one
// that was done: cutting the connection loses its answer.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if err := readWhole(r); err != nil {
		panic(http.ErrAbortHandler)
	}
	f, struck, epoch := p.strike(r)
	ctx := r.Context()
	lost := struck && f.Status == 0 && f.Effect == LoseAnswer
	if lost { // also to a client that is killed while it waits for the answer
		ctx = context.WithoutCancel(ctx)
	}
	ctx = context.WithValue(ctx, lostKey{}, func() bool { return lost || epoch.Err() != nil })
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(epoch, cancel)()
	if f.Delay > 0 {
		timer := time.NewTimer(f.Delay)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			panic(http.ErrAbortHandler)
		case <-timer.C:
		}
	}
	switch {
	case f.Status != 0:
		http.Error(w, "fault injected by the test", f.Status)
		return
	case struck && f.Effect == Refuse, epoch.Err() != nil:
		panic(http.ErrAbortHandler)
	case writes(r):
		var done context.CancelFunc // without one, ReverseProxy asks the connection if the client is there
		ctx, done = context.WithCancel(context.WithoutCancel(ctx))
		defer done()
	}
	p.forward.ServeHTTP(w, r.WithContext(ctx))
}

// readWhole reads the body of a request. A client that is killed by Match would else not send the rest of it, and a
// request whose answer is to be lost wouldn't be done.
func readWhole(r *http.Request) error {
	if r.Body == nil || r.Body == http.NoBody {
		return nil
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body, r.ContentLength, r.TransferEncoding = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	return nil
}

// writes tells if a request may change something.
func writes(r *http.Request) bool {
	return r.Method != http.MethodGet && r.Method != http.MethodHead && !r.URL.Query().Has("dryRun")
}

var errLost = errors.New("answer lost on purpose")

// answered sees every answer of the API server before the client does.
func (p *Proxy) answered(resp *http.Response) error {
	r := resp.Request
	if writes(r) {
		p.mu.Lock()
		p.writes = append(p.writes,
			Write{Time: time.Now(), Method: r.Method, Path: r.URL.Path, UserAgent: r.UserAgent(), Status: resp.StatusCode})
		p.mu.Unlock()
	}
	if lost, ok := r.Context().Value(lostKey{}).(func() bool); ok && lost() {
		return errLost
	}
	return nil
}
