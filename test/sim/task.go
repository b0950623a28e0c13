package sim

import (
	"fmt"
	"iter"
	"runtime/debug"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// task is one reconcile. It runs as a coroutine that gives way at each request, so that others may do anything in
// between.
type task struct {
	p         *process
	what      string // pool or node
	request   ctrl.Request
	began     time.Time
	observed  map[string]observation // by Nomad node ID: the latest observation of it within this task
	sought    time.Time              // when it looked for nodes of other IDs last
	resume    func() (time.Duration, bool)
	stop      func()
	yield     func(time.Duration) bool
	chose     map[*memberTruth]bool // whose drain it requested
	requested int                   // of how many it did
	repaired  int                   // how many of them because they don't work
	sights    map[*cluster]*sight   // what was known of each Nomad when it began
	asks      *sight                // of the one that it asks for its member
}

// sight is what a task's process knew of a Nomad when the task began.
type sight struct {
	seen      map[string]nomad.Node // the view of it
	known     bool                  // it could be asked
	notAsked  bool                  // or had not been asked by this process yet
	asOf      time.Time             // since when the view shows nothing
	recovered time.Time             // since when it has been what it was when the task viewed it last
	viewed    time.Time             // when that was
}

func (c *cluster) sight() *sight {
	return &sight{seen: c.view.Nodes, known: c.known(), notAsked: c.view.Health.State == nomad.HealthUnknown, asOf: c.asOf,
		recovered: c.view.RecoveredSince, viewed: c.p.w.now}
}

// observation is what a task saw of a Nomad node when it asked Nomad itself.
type observation struct {
	at   time.Time
	open bool
}

// died unwinds a task whose process is gone.
type died struct{}

// begin starts a task; then is called when it has come to its end, and never if its process dies.
func (w *Environment) begin(t *task, body, then func()) {
	t.began, t.observed = w.now, map[string]observation{}
	t.chose = map[*memberTruth]bool{}
	t.sights = map[*cluster]*sight{}
	for _, c := range t.p.clusters {
		t.sights[c] = c.sight()
	}
	t.asks = t.sights[t.p.clusterOf(t)]
	ended := false
	t.resume, t.stop = iter.Pull(func(yield func(time.Duration) bool) {
		t.yield = yield
		defer func() {
			switch r := recover(); r {
			case nil, died{}:
			default:
				w.violate("no panic", t.request.Name, "%v\n%s", r, debug.Stack())
			}
		}()
		body()
		ended = true
	})
	w.goOn(t, func() {
		if ended {
			then()
		}
	})
}

// goOn lets a task run until it gives way again.
func (w *Environment) goOn(t *task, then func()) {
	if t.p.dead {
		t.stop()
		return
	}
	was := w.running
	w.running = t
	wait, more := t.resume()
	w.running = was
	switch {
	case t.p.dying:
		t.p.bury()
		t.p.w.lead()
	case more:
		w.after(wait, func() { w.goOn(t, then) })
	default:
		then()
	}
}

// pass gives way for a while.
func (t *task) pass(d time.Duration) {
	if !t.yield(d) {
		panic(died{})
	}
}

// die ends the task's process here and now.
func (t *task) die(why string) {
	t.p.w.crashes++
	t.p.w.note(t.p.name, t.request.Name, "dies %s", why)
	t.p.dying = true
	panic(died{})
}

func (t *task) String() string { return fmt.Sprintf("%s %s %s", t.p.name, t.what, t.request.Name) }
