package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/nomad/api"
	"k8s.io/client-go/util/workqueue"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hostile"
)

// job is a member that asks its server something, again and again.
type job struct {
	cluster Cluster
	healthy bool
	number  int
}

// roundTrip is an http.RoundTripper.
type roundTrip func(*http.Request) (*http.Response, error)

func (r roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return r(req) }

func after(d time.Duration, then http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		select {
		case <-time.After(d):
			return then.RoundTrip(r)
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	})
}

// waits are for how long the members of a healthy server wait for their turns beside hostile ones, if all share a
// controller's workers: at most in the first seconds, at most after that, and how often they had one.
type waits struct {
	first, later time.Duration
	turns        int
}

// share runs ten workers for three quarters of a minute, with twenty members of each server.
func share(t *testing.T, servers ...http.RoundTripper) waits {
	t.Helper()
	const workers, members, again, known = 10, 20, 500 * time.Millisecond, 10 * time.Second
	honestly := after(10*time.Millisecond, always{http.StatusOK, "application/json", `{"ID":"` + nodeA + `"}`})
	queue := workqueue.NewTypedDelayingQueue[job]()
	all := newShared()
	for i, by := range append(slices.Clone(servers), honestly) {
		c := newCluster(Connection{Address: "http://nomad.invalid"}, Options{}.withDefaults(), all)
		client, err := api.NewClient(
			&api.Config{Address: "http://nomad.invalid", HttpClient: &http.Client{Transport: boundedBy(by)}})
		if err != nil {
			t.Fatal(err)
		}
		c.remote.api = client
		for number := range members {
			queue.Add(job{c, i == len(servers), number})
		}
	}
	var (
		mu    sync.Mutex
		out   waits
		began = time.Now()
		due   = map[job]time.Time{} // when a healthy one was to have its turn
	)
	work := func(j job) time.Duration {
		err := j.cluster.Cordon(t.Context(), nodeA)
		mu.Lock()
		defer mu.Unlock()
		if busy, ok := errors.AsType[*BusyError](err); ok {
			return busy.RetryAfter()
		}
		if !j.healthy {
			return again
		}
		since, ok := due[j]
		if !ok {
			since = began
		}
		if out.turns++; since.Sub(began) < known {
			out.first = max(out.first, time.Since(since))
		} else {
			out.later = max(out.later, time.Since(since))
		}
		due[j] = time.Now().Add(again)
		return again
	}
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for j, ended := queue.Get(); !ended; j, ended = queue.Get() {
				wait := work(j)
				queue.Done(j)
				queue.AddAfter(j, wait)
			}
		})
	}
	time.Sleep(45 * time.Second)
	queue.ShutDown()
	running.Wait()
	return out
}

// Beside servers that hang, or are slow, the members of a healthy one get their turns.
func TestHealthyServerKeepsItsWorkers(t *testing.T) {
	never := roundTrip(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	slow := after(9*time.Second, always{http.StatusOK, "application/json", `{}`})
	well := always{http.StatusOK, "application/json", `{}`}
	turning := func(by http.RoundTripper) http.RoundTripper { // hangs each other ten seconds
		began := sync.OnceValue(time.Now)
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if time.Since(began())/(10*time.Second)%2 == 0 {
				return well.RoundTrip(r)
			}
			return by.RoundTrip(r)
		})
	}
	ten := func(by func() http.RoundTripper) (all []http.RoundTripper) {
		for range 10 {
			all = append(all, by())
		}
		return all
	}
	for name, tc := range map[string]struct {
		servers      []http.RoundTripper
		first, later time.Duration
	}{
		"none":      {nil, time.Second, time.Second},
		"hanging":   {ten(func() http.RoundTripper { return never }), 5 * time.Second, 2 * time.Second},
		"slow":      {ten(func() http.RoundTripper { return slow }), 5 * time.Second, 2 * time.Second},
		"turning":   {ten(func() http.RoundTripper { return turning(never) }), 2 * time.Second, 10 * time.Second},
		"one of it": {ten(func() http.RoundTripper { return turning(slow) })[:1], 2 * time.Second, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				got := share(t, tc.servers...)
				t.Logf("%+v", got)
				if got.first > tc.first || got.later > tc.later || got.turns < 500 {
					t.Errorf("%+v", got)
				}
			})
		})
	}
}

// Ten kinds of hostile servers, watched and asked all the time, take a bounded memory, and don't end the process.
func TestHostileServersTakeBoundedMemory(t *testing.T) {
	clusters := NewClusters(Options{})
	var servers []*httptest.Server
	for _, handler := range hostile.Servers() {
		server := httptest.NewServer(handler)
		servers = append(servers, server)
		t.Cleanup(func() {
			server.CloseClientConnections()
			server.Close()
		})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Second)
	defer cancel()
	grew := peak(t, func() {
		var running sync.WaitGroup
		running.Go(func() { _ = clusters.Start(ctx) })
		for _, server := range servers {
			c := clusters.Get(Connection{Address: server.URL, Token: "t"})
			for range 3 {
				running.Go(func() {
					for tick := time.NewTicker(50 * time.Millisecond); ctx.Err() == nil; <-tick.C {
						_, err := c.Inspect(ctx, nodeA)
						if _, usage := c.Usage(ctx, []string{nodeA}); err == nil && usage == nil {
							t.Errorf("%s is believed", fmt.Sprint(c.View().Health))
						}
					}
				})
			}
		}
		running.Wait()
	})
	t.Logf("%d MiB", grew>>20)
	if grew > 150<<20 {
		t.Errorf("took %d MiB", grew>>20)
	}
}
