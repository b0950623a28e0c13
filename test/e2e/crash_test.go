package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// moment is when the controller is killed.
type moment struct {
	name string
	// arm returns a channel that closes when the moment has come, and what ends the watch for it.
	arm func(ctx context.Context, leaving *leavers) (come <-chan struct{}, disarm func())
}

// before is when the controller has sent a write that doesn't arrive.
func before(method, path string, nth int) moment {
	return atWrite("before", method, path, nth, faultproxy.Fault{Effect: faultproxy.Refuse, Delay: time.Minute})
}

// after is when a write has happened of which the controller doesn't learn.
func after(method, path string, nth int) moment {
	return atWrite("after", method, path, nth, faultproxy.Fault{Effect: faultproxy.LoseAnswer})
}

func atWrite(when, method, path string, nth int, fault faultproxy.Fault) moment {
	pattern := regexp.MustCompile("/" + path + "$")
	return moment{
		fmt.Sprintf("%s %s %s #%d", when, method, path, nth),
		func(context.Context, *leavers) (<-chan struct{}, func()) {
			come := make(chan struct{})
			seen := 0
			fault.Match = func(r *http.Request) bool { // called under the proxy's lock
				if r.Method != method || !pattern.MatchString(r.URL.Path) {
					return false
				}
				if seen++; seen != nth {
					return false
				}
				close(come)
				return true
			}
			return come, w.APIFaults.Inject(fault)
		},
	}
}

// when is when something can be seen of a leaving member's Nomad node (nil: Nomad doesn't have it) or its guest.
func when(name string, seen func(node *api.Node, events map[hypervisor.EventKind]bool) bool) moment {
	return moment{"when " + name, func(ctx context.Context, leaving *leavers) (<-chan struct{}, func()) {
		ctx, cancel := context.WithCancel(ctx)
		come := make(chan struct{})
		go func() {
			_ = process.WaitFor(ctx, 5*time.Millisecond, name, func(ctx context.Context) error {
				for _, id := range leaving.all(ctx) {
					node, _, err := w.Nomad.Nodes().Info(id, nil)
					if err != nil && !isStatus(err, http.StatusNotFound) {
						return err
					}
					if seen(node, eventsOf(id)) {
						close(come)
						return nil
					}
				}
				return errors.New("not yet")
			})
		}()
		return come, cancel
	}}
}

func isStatus(err error, code int) bool {
	var e api.UnexpectedResponseError
	return errors.As(err, &e) && e.StatusCode() == code
}

func eventsOf(nodeID string) map[hypervisor.EventKind]bool {
	out := map[hypervisor.EventKind]bool{}
	for _, e := range w.Hypervisor.Trace() {
		if e.NodeID == nodeID {
			out[e.Kind] = true
		}
	}
	return out
}

// delay is some time after the order to scale.
func delay(d time.Duration) moment {
	return moment{"after " + d.String(), func(context.Context, *leavers) (<-chan struct{}, func()) {
		come := make(chan struct{})
		timer := time.AfterFunc(d, func() { close(come) })
		return come, func() { timer.Stop() }
	}}
}

// leavers remembers the Nomad nodes that were ever asked to leave since it was made, and the deadlines of their
// drains.
type leavers struct {
	pool      string
	mu        sync.Mutex
	ids       map[string]bool
	deadlines map[string]time.Time
	moved     []string // of deadlines that moved later
}

func (l *leavers) all(ctx context.Context) []string {
	_, nodes, err := read(ctx, l.pool)
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, n := range nodes {
		if err == nil && n.Spec.Drain != nil {
			l.ids[n.Spec.NodeID] = true
		}
	}
	var out []string
	for id := range l.ids {
		out = append(out, id)
	}
	return out
}

// watchDeadlines notes when Nomad's deadline of a drain moves later.
func (l *leavers) watchDeadlines(ctx context.Context) {
	for _, id := range l.all(ctx) {
		node, _, err := w.Nomad.Nodes().Info(id, nil)
		if err != nil || node.DrainStrategy == nil {
			continue
		}
		d := node.DrainStrategy.ForceDeadline
		l.mu.Lock()
		if first, ok := l.deadlines[id]; ok && d.After(first) {
			l.moved = append(l.moved, fmt.Sprintf("%s: %s -> %s", node.Name, first, d))
		}
		l.deadlines[id] = d
		l.mu.Unlock()
	}
}

// scaleInMoments are the moments of a scale-in in their order.
var scaleInMoments = []moment{
	before(http.MethodPatch, "nomadnodes/[^/]+", 1), // the drain request
	after(http.MethodPatch, "nomadnodes/[^/]+", 1),
	after(http.MethodPatch, "nomadnodepools/[^/]+/status", 1),
	after(http.MethodPatch, "nomadnodes/[^/]+/status", 1),
	when("the node is ineligible", func(n *api.Node, _ map[hypervisor.EventKind]bool) bool {
		return n != nil && n.SchedulingEligibility == api.NodeSchedulingIneligible
	}),
	when("the node drains",
		func(n *api.Node, _ map[hypervisor.EventKind]bool) bool { return n != nil && n.DrainStrategy != nil }),
	delay(time.Second),
	before(http.MethodDelete, "nomadnodes/[^/]+", 1), // Drained has been written
	after(http.MethodDelete, "nomadnodes/[^/]+", 1),
	before(http.MethodPatch, "virtualmachines/[^/]+", 1), // the claims to be removed
	after(http.MethodPatch, "virtualmachines/[^/]+", 1),
	before(http.MethodDelete, "virtualmachines/[^/]+", 1),
	after(http.MethodDelete, "virtualmachines/[^/]+", 1),
	when("the guest stops",
		func(_ *api.Node, e map[hypervisor.EventKind]bool) bool { return e[hypervisor.GuestStopping] }),
	when("the guest has stopped",
		func(_ *api.Node, e map[hypervisor.EventKind]bool) bool { return e[hypervisor.GuestStopped] }),
	when("the node is purged", func(n *api.Node, _ map[hypervisor.EventKind]bool) bool { return n == nil }),
	before(http.MethodDelete, "secrets/[^/]+", 1),
	after(http.MethodDelete, "secrets/[^/]+", 1),
	before(http.MethodPatch, "nomadnodes/[^/]+", 2), // the finalizer
	after(http.MethodPatch, "nomadnodes/[^/]+", 2),
}

// A controller that is killed at any moment of a scale-in finishes it when it is back, and only drains stop
// allocations.
func TestCrashesDuringScaleIn(t *testing.T) {
	const most = 5
	create(t, newPool("crash", most, func(p *v1alpha1.NomadNodePool) {
		p.Spec.ScaleIn.Strategy = v1alpha1.OldestCreateIndex // they have the work
	}))
	eventually(t, "crash", "the pool to settle", time.Minute, allReady(most))
	service(t, "crash", "crash-service", 3)

	size := most
	for i, m := range scaleInMoments {
		if size == 1 {
			size = most
			resize(t, "crash", size)
		}
		job := fmt.Sprintf("crash-batch-%d", i)
		batch(t, "crash", job, size, 2*time.Second)
		size--
		started := time.Now()
		crashAt(t, m, "crash", size)
		t.Logf("%-50s %.1f s", m.name, time.Since(started).Seconds())
		noneLost(t, job)
		running(t, "crash-service", 3)
	}
	if moved := noneLost(t, "crash-service"); moved < len(scaleInMoments)/2 {
		t.Errorf("only %d allocations had to move", moved)
	}
}

// crashAt scales a pool in, kills the controller at a moment of it, starts it again and waits for the end.
func crashAt(t *testing.T, m moment, pool string, size int) {
	t.Helper()
	l := &leavers{pool: pool, ids: map[string]bool{}, deadlines: map[string]time.Time{}}
	come, disarm := m.arm(t.Context(), l)
	if err := scale(t, pool, int32(size)); err != nil {
		t.Fatal(err)
	}
	select {
	case <-come:
	case <-time.After(time.Minute):
		t.Errorf("the moment %q never came", m.name)
	}
	killAndRestart(t, disarm)
	eventually(t, pool, "the scale-in to end after a crash "+m.name, time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			l.watchDeadlines(t.Context())
			return allReady(size)(p, nodes)
		})
	for _, m := range l.moved {
		t.Errorf("a drain's deadline moved later: %s", m)
	}
	onlyMembersLeft(t, pool)
}

func killAndRestart(t *testing.T, disarm func()) {
	t.Helper()
	err := controller.Kill()
	disarm()
	if err = errors.Join(err, controller.Start(t.Context())); err != nil {
		t.Fatal(err)
	}
}

func resize(t *testing.T, pool string, size int) {
	t.Helper()
	if err := scale(t, pool, int32(size)); err != nil {
		t.Fatal(err)
	}
	eventually(t, pool, fmt.Sprintf("%d members", size), time.Minute, allReady(size))
}

// A controller that is killed while it makes a member makes no second one.
func TestCrashesDuringScaleOut(t *testing.T) {
	create(t, newPool("births", 0))
	for i, m := range []moment{
		before(http.MethodPost, "nomadnodes", 1),
		after(http.MethodPost, "nomadnodes", 1),
		after(http.MethodPatch, "nomadnodes/[^/]+/status", 1), // the claims' names
		after(http.MethodPost, "secrets", 1),
		after(http.MethodPost, "virtualmachines", 1),
	} {
		made := len(madeVMs())
		come, disarm := m.arm(t.Context(), nil)
		if err := scale(t, "births", int32(i+1)); err != nil {
			t.Fatal(err)
		}
		select {
		case <-come:
		case <-time.After(30 * time.Second):
			t.Errorf("the moment %q never came", m.name)
		}
		killAndRestart(t, disarm)
		eventually(t, "births", "the pool to settle after a crash "+m.name, time.Minute, allReady(i+1))
		if got := len(madeVMs()) - made; got != 1 {
			t.Errorf("%s: %d VMs were made, not 1", m.name, got)
		}
		onlyMembersLeft(t, "births")
	}
}

// madeVMs are the VMs that the controller ever made.
func madeVMs() []faultproxy.Write {
	var out []faultproxy.Write
	for _, write := range w.APIFaults.Writes() {
		if write.Method == http.MethodPost && write.Status == http.StatusCreated &&
			regexp.MustCompile("/virtualmachines$").MatchString(write.Path) {
			out = append(out, write)
		}
	}
	return out
}

// Two controllers that work at the same time, as they do for a moment when a lease is lost, make and remove no more
// than one does.
func TestTwoControllersMakeNoMore(t *testing.T) {
	other, err := w.StartController(t.Context(),
		testenv.ControllerOptions{Args: []string{"--leader-elect=false", testenv.Verbose}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := other.Stop(); err != nil {
			t.Error(err)
		}
	})
	create(t, newPool("both", 1))
	eventually(t, "both", "the pool to settle", time.Minute, allReady(1))
	service(t, "both", "both-service", 2)
	made := len(madeVMs())
	resize(t, "both", 4)
	if got := len(madeVMs()) - made; got != 3 {
		t.Errorf("%d VMs were made, not 3", got)
	}
	resize(t, "both", 2)
	resize(t, "both", 3)
	if got := len(madeVMs()) - made; got != 4 {
		t.Errorf("%d VMs were made, not 4", got)
	}
	onlyMembersLeft(t, "both")
	running(t, "both-service", 2)
	noneLost(t, "both-service")
}
