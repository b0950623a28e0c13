package nomad

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/client-go/util/workqueue"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hostile"
)

// job is a member that asks its server something, again and again.
type job struct {
	cluster *cluster
	healthy bool
	number  int
}

// ask asks a healthy server for one thing, and others for as much as they answer.
func (j job) ask(ctx context.Context) error {
	if j.healthy {
		return j.cluster.Cordon(ctx, nodeA)
	}
	return j.cluster.call(ctx, func(ctx context.Context) error {
		for range 6 {
			if _, err := j.cluster.remote.info(ctx, nodeA); err != nil {
				return err
			}
		}
		return nil
	})
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

// aNode answers with a node.
var aNode = always{http.StatusOK, "application/json", `{"ID":"` + nodeA + `"}`}

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
	honestly := after(10*time.Millisecond, aNode)
	queue := workqueue.NewTypedDelayingQueue[job]()
	all := newShared()
	for i, by := range append(slices.Clone(servers), honestly) {
		c := answeredWith(t, by, all)
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
		err := j.ask(t.Context())
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
	relapsing := func() http.RoundTripper { // seems to recover, and then hangs as many as it is given
		var asked atomic.Int64
		return roundTrip(func(r *http.Request) (*http.Response, error) {
			if asked.Add(1)%(6+callsAtOnce) < 6 {
				return aNode.RoundTrip(r)
			}
			return never.RoundTrip(r)
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
		"late":      {ten(func() http.RoundTripper { return after(900*time.Millisecond, aNode) }), 7 * time.Second, 2 * time.Second},
		"far away":  {ten(func() http.RoundTripper { return after(450*time.Millisecond, aNode) }), 7 * time.Second, 2 * time.Second},
		"relapsing": {ten(relapsing), 5 * time.Second, 2 * time.Second},
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

// A Nomad far away is asked as long as it answers, though each of the several requests of a call takes its time.
func TestANomadFarAwayIsNotSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		honestly := &except{seen: map[string]int{}}
		c := answered(t, after(250*time.Millisecond, honestly))
		for range 20 {
			began := time.Now()
			if _, err := c.Inspect(t.Context(), nodeA); err != nil {
				t.Fatal(err)
			}
			if took := time.Since(began); took < promptly || c.gate.slow() {
				t.Fatalf("after calls of %s it counts as slow: %v", took, c.gate.slow())
			}
		}
	})
}

// All kinds of hostile servers, watched and asked all the time, take a bounded memory, and don't end the process.
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
