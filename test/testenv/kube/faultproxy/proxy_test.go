package faultproxy_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// backend counts requests and streams one line per request, staying open for paths ending in /watch.
func backend(t *testing.T) (*httptest.Server, *atomic.Int32) {
	t.Helper()
	var requests atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests.Add(1)
		_, _ = fmt.Fprintln(w, r.Header.Get("Authorization"))
		if strings.HasSuffix(r.URL.Path, "/watch") {
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		}
	}))
	t.Cleanup(s.Close)
	return s, &requests
}

func start(t *testing.T) (p *faultproxy.Proxy, c *http.Client, requests *atomic.Int32) {
	t.Helper()
	s, requests := backend(t)
	p, c = before(t, s)
	return p, c, requests
}

// before starts a proxy in front of a server.
func before(t *testing.T, s *httptest.Server) (p *faultproxy.Proxy, c *http.Client) {
	t.Helper()
	target, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	p, err = faultproxy.Start(target, s.TLS.Certificates[0], s.Client().Transport)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	// httptest's certificate is not one for this address.
	c = &http.Client{
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: true}}
	return p, c
}

func get(c *http.Client, url string) (string, error) {
	req, err := http.NewRequest(http.MethodGet, url, nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer x")
	resp, err := c.Do(req)
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	b, err := io.ReadAll(resp.Body)
	return strings.TrimSpace(string(b)), err
}

func TestFaults(t *testing.T) {
	tests := []struct {
		name    string
		fault   faultproxy.Fault
		want    string
		wantErr bool
		reached int32
	}{
		{
			name: "no match",
			fault: faultproxy.Fault{Match: func(r *http.Request) bool { return r.URL.Path == "/other" },
				Effect: faultproxy.Refuse},
			want:    "Bearer x",
			reached: 1,
		},
		{name: "delay", fault: faultproxy.Fault{Delay: time.Millisecond}, want: "Bearer x", reached: 1},
		{name: "status", fault: faultproxy.Fault{Status: http.StatusServiceUnavailable}, want: "fault injected by the test"},
		{name: "refuse", fault: faultproxy.Fault{Effect: faultproxy.Refuse}, wantErr: true},
		{name: "lose the answer", fault: faultproxy.Fault{Effect: faultproxy.LoseAnswer}, wantErr: true, reached: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, c, requests := start(t)
			// POST isn't retried by net/http, so every request counts once.
			remove := p.Inject(tt.fault)
			resp, err := c.Post(p.URL+"/x", "text/plain", strings.NewReader("hello"))
			if err == nil {
				_ = resp.Body.Close()
			}
			if (err != nil) != tt.wantErr {
				t.Errorf("error %v, want one: %t", err, tt.wantErr)
			}
			if got := requests.Load(); got != tt.reached {
				t.Errorf("%d requests reached the backend, want %d", got, tt.reached)
			}
			if got := len(p.Writes()); got != int(tt.reached) {
				t.Errorf("%d writes recorded, want %d", got, tt.reached)
			}
			remove()
			if got, err := get(c, p.URL+"/x"); err != nil || got != "Bearer x" {
				t.Errorf("after removal: %q, %v", got, err)
			}
		})
	}
}

// A client that is killed as soon as a request is on its way has it done all the same.
func TestAnswerIsLostOnAClientThatEnds(t *testing.T) {
	p, c, requests := start(t)
	ctx, end := context.WithCancel(t.Context())
	p.Inject(faultproxy.Fault{Effect: faultproxy.LoseAnswer, Delay: 50 * time.Millisecond, Match: func(*http.Request) bool {
		end()
		return true
	}})
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+"/x", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := c.Do(request); err == nil {
		_ = resp.Body.Close()
		t.Error("there was an answer")
	}
	for deadline := time.Now().Add(10 * time.Second); len(p.Writes()) == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	if n, writes := requests.Load(), p.Writes(); n != 1 || len(writes) != 1 || writes[0].Status != http.StatusOK {
		t.Errorf("%d requests reached the backend, and recorded was %+v", n, writes)
	}
}

// late is a body that comes after the headers.
type late struct{ sent *atomic.Bool }

func (l late) Read(to []byte) (int, error) {
	if l.sent.Load() {
		return 0, io.EOF
	}
	time.Sleep(50 * time.Millisecond)
	l.sent.Store(true)
	return copy(to, "hello"), nil
}

// A fault strikes a request that has arrived whole: it may kill the client.
func TestFaultStrikesWholeRequests(t *testing.T) {
	p, c, _ := start(t)
	var sent, whole atomic.Bool
	p.Inject(faultproxy.Fault{Match: func(*http.Request) bool { whole.Store(sent.Load()); return true }})
	resp, err := c.Post(p.URL+"/x", "text/plain", late{&sent})
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if !whole.Load() {
		t.Error("it struck before the body came")
	}
}

func TestTimesLimitsAFault(t *testing.T) {
	p, c, _ := start(t)
	p.Inject(faultproxy.Fault{Status: http.StatusTeapot, Times: 2})
	for i, want := range []string{"fault injected by the test", "fault injected by the test", "Bearer x"} {
		if got, err := get(c, p.URL); err != nil || got != want {
			t.Errorf("request %d: %q, %v; want %q", i, got, err, want)
		}
	}
}

func TestPartitionBreaksWatchesAndHeals(t *testing.T) {
	p, c, _ := start(t)
	resp, err := c.Get(p.URL + "/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	lines := bufio.NewReader(resp.Body)
	if _, err := lines.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	heal := p.Partition()
	if _, err := lines.ReadString('\n'); err == nil {
		t.Error("the watch survived the partition")
	}
	if _, err := get(c, p.URL); err == nil {
		t.Error("a request got through the partition")
	}
	heal()
	if _, err := get(c, p.URL); err != nil {
		t.Errorf("after the partition: %v", err)
	}
}

// A write that is under way when connections are cut is done, and is among the writes: else a count of them would miss
// what the API server has done.
func TestWritesUnderWayOutliveACut(t *testing.T) {
	reached, release := make(chan struct{}), make(chan struct{})
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		close(reached)
		select {
		case <-release:
			w.WriteHeader(http.StatusCreated)
		case <-r.Context().Done(): // an API server may be past the point where it would notice
		}
	}))
	t.Cleanup(s.Close)
	p, c := before(t, s)
	answer := make(chan error, 1)
	go func() {
		resp, err := c.Post(p.URL+"/x", "text/plain", strings.NewReader("hello"))
		if err == nil {
			_ = resp.Body.Close()
		}
		answer <- err
	}()
	<-reached
	p.Partition()
	close(release)
	if err := <-answer; err == nil {
		t.Error("there was an answer")
	}
	if writes := p.Writes(); len(writes) != 1 || writes[0].Status != http.StatusCreated {
		t.Errorf("recorded was %+v", writes)
	}
}
