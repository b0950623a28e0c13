package finish

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// server answers after a time, unless the request is given up before.
type server struct{ takes time.Duration }

func (s server) RoundTrip(request *http.Request) (*http.Response, error) {
	select {
	case <-time.After(s.takes):
		return &http.Response{Body: io.NopCloser(strings.NewReader("done")), Request: request}, nil
	case <-request.Context().Done():
		return nil, request.Context().Err()
	}
}

// What was sent a second before the process is asked to end.
func TestWritesThatWereSentFinish(t *testing.T) {
	const asked = time.Second
	for name, c := range map[string]struct {
		method string
		takes  time.Duration
		ends   time.Duration
		err    error
	}{
		"a write":            {http.MethodPatch, 3 * time.Second, 3 * time.Second, nil},
		"a quick write":      {http.MethodPost, asked / 2, asked / 2, nil},
		"a write that hangs": {http.MethodPut, time.Hour, asked + Within, context.Canceled},
		"a deletion":         {http.MethodDelete, asked + Within - 1, asked + Within - 1, nil},
		"a read":             {http.MethodGet, 3 * time.Second, asked, context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer time.AfterFunc(asked, cancel).Stop()
				began := time.Now()
				err := send(ctx, t, c.method, c.takes)
				if took := time.Since(began); took != c.ends || !errors.Is(err, c.err) {
					t.Errorf("it ended after %s with %v, want %s and %v", took, err, c.ends, c.err)
				}
			})
		})
	}
}

func TestNoWriteIsSentAfterTheEnd(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := send(ctx, t, http.MethodPatch, time.Hour); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// A request's own deadline is no wish to end the process.
func TestAWriteKeepsItsDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := send(ctx, t, http.MethodPut, time.Hour); err == nil || time.Since(began) != time.Second {
			t.Errorf("it ended after %s with %v", time.Since(began), err)
		}
	})
}

// A process that runs for months keeps nothing of the requests that it has sent.
func TestNothingIsLeftOfAWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var sent context.Context
		client := Writes(transport(func(request *http.Request) (*http.Response, error) {
			sent = request.Context()
			return server{}.RoundTrip(request)
		}))
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://x", nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := client.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		if sent.Err() != nil {
			t.Error("the answer can't be read any more")
		}
		if err := response.Body.Close(); err != nil || sent.Err() == nil {
			t.Errorf("the request's context outlives its answer: %v", err)
		}
	})
}

// idle is a transport that has idle connections until they are closed, and other is one below another.
type (
	idle  struct{ closed *bool }
	other struct{ http.RoundTripper }
)

func (idle) RoundTrip(*http.Request) (*http.Response, error) { return nil, http.ErrNotSupported }
func (i idle) CloseIdleConnections()                         { *i.closed = true }
func (o other) WrappedRoundTripper() http.RoundTripper       { return o.RoundTripper }

// Connections that nobody uses any more, and that a token was sent over, don't outlive the client.
func TestIdleConnectionsAreClosed(t *testing.T) {
	for name, below := range map[string]func(http.RoundTripper) http.RoundTripper{
		"at once": func(r http.RoundTripper) http.RoundTripper { return r },
		"deeper":  func(r http.RoundTripper) http.RoundTripper { return other{r} },
	} {
		closed := false
		client := http.Client{Transport: Writes(below(idle{&closed}))}
		if client.CloseIdleConnections(); !closed {
			t.Errorf("%s: they stay open", name)
		}
	}
}

type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func send(ctx context.Context, t *testing.T, method string, takes time.Duration) error {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, "http://x", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := Writes(server{takes}).RoundTrip(request)
	if err != nil {
		return err
	}
	return response.Body.Close()
}
