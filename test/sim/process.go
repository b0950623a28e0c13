package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	nodectrl "github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	poolctrl "github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// process is one life of the controller: from its start, with empty memory, until it dies.
type process struct {
	w     *Environment
	name  string
	dying bool
	dead  bool
	died  time.Time
	// booted is when it started.
	booted time.Time

	cache *cache
	// clusters are its ways to the Nomads, and one that leads nowhere.
	clusters []*cluster
	pools    *queue
	nodes    *queue
	tasks    []*task
}

// boot starts a controller.
func (w *Environment) boot() {
	p := &process{w: w, name: fmt.Sprintf("controller-%d", len(w.processes)+1), booted: w.now}
	w.processes = append(w.processes, p)
	w.note(p.name, "", "starts")
	for _, n := range append(w.nomads(), nil) {
		p.clusters = append(p.clusters, newCluster(p, n))
	}
	pools, nodes, collector := w.reconcilers(p)
	workers := 3
	if w.fleet != nil {
		workers = fleetWorkers
	}
	p.pools = newQueue(p, "pool", 4, pools)
	p.nodes = newQueue(p, "node", workers, nodes)
	p.cache = newCache(p)
	w.store.watchers = append(w.store.watchers, p.watch)
	for _, kind := range cachedKinds {
		sh := p.cache.kinds[kind]
		for _, i := range sh.order {
			p.saw(nil, sh.objects[i])
		}
	}
	p.to(w.nomad).start()
	p.collectGarbage(collector)
}

// reconcilers makes the real reconcilers, as controllers.Add does, and lets the mutation have its way with them.
func (w *Environment) reconcilers(p *process) (pools, nodes reconcile.Reconciler, collector *gc.Collector) {
	cached, live := &apiClient{p: p}, &apiClient{p: p, live: true}
	d := kube.Deps{
		Client: cached, Live: live, Clock: w, Recorder: recorder{p}, NewID: w.newID,
	}
	m := w.Mutation
	if m.Client != nil {
		d.Client = m.Client(p, d.Client)
	}
	if m.Live != nil {
		d.Live = m.Live(d.Client, d.Live)
	}
	connections := &nomadlink.Connections{
		Reader: d.Live, ReadDefaults: w.defaults, Clusters: p, Clock: w,
	}
	pr, nr := poolctrl.New(d, connections), nodectrl.New(d, connections, nodectrl.DefaultPurgeTimeout)
	pr.Each = oneByOne // a task is one thread
	sw := gc.New(d, connections, w.GCInterval, w.GCGracePeriod)
	sw.Each = oneByOne
	if m.Pool != nil {
		m.Pool(p, pr)
	}
	if m.Node != nil {
		m.Node(p, nr)
	}
	if m.Collect != nil {
		m.Collect(p, sw)
	}
	return pr, nr, sw
}

func oneByOne(n, _ int, do func(i int) error) error {
	for i := range n {
		if err := do(i); err != nil {
			return err
		}
	}
	return nil
}

// to is the process's way to a Nomad; nil: to none.
func (p *process) to(n *nomadServer) *cluster {
	return p.clusters[slices.IndexFunc(p.clusters, func(c *cluster) bool { return c.nomad == n })]
}

// clusterOf is the way by which a task asks for its member, or for its pool.
func (p *process) clusterOf(t *task) *cluster {
	i := id{kindNode, t.request.Namespace, t.request.Name}
	if n, ok := p.cache.kinds[kindNode].objects[i].(*v1alpha1.NomadNode); ok {
		is := p.to(p.w.at(n.Spec.Nomad.Address))
		if n.Spec.FormerNomad == nil {
			return is
		}
		_, here := is.view.Nodes[n.Spec.NodeID]
		former := p.to(p.w.at(n.Spec.FormerNomad.Address))
		_, there := former.view.Nodes[n.Spec.NodeID]
		joined := n.Status.Nomad.Cluster != "" && former.nomad != nil && former.nomad == p.w.checks.members[n.Name].nomad
		if !here && (there || joined) {
			return former
		}
		return is
	}
	return p.to(p.w.nomad)
}

// Get is nomadlink.Clusters'. A cluster is watched from when it is asked for.
func (p *process) Get(conn nomad.Connection) nomad.Cluster {
	c := p.to(p.w.at(conn.Address))
	c.start()
	if m := p.w.Mutation.Cluster; m != nil {
		return m(p, c)
	}
	return c
}

// bury is the end of a process.
func (p *process) bury() {
	if p.dead {
		return
	}
	p.dead, p.died = true, p.w.now
	for _, t := range p.tasks {
		if t != p.w.running {
			t.stop()
		}
	}
	p.tasks = nil
}

// watch passes a change in the API server on to the cache.
func (p *process) watch(was, is client.Object) {
	if !p.dead {
		p.cache.watch(was, is)
	}
}

// saw wakes whom an event concerns (controllers/pool and controllers/node: SetupWithManager).
func (p *process) saw(was, is client.Object) {
	o := is
	if o == nil {
		o = was
	}
	key := types.NamespacedName{Namespace: o.GetNamespace(), Name: o.GetName()}
	switch kindOf(o) {
	case kindPool:
		p.pools.add(ctrl.Request{NamespacedName: key})
	case kindNode:
		p.nodes.add(ctrl.Request{NamespacedName: key})
		for _, of := range []client.Object{was, is} {
			if of == nil {
				continue
			}
			for _, ref := range of.GetOwnerReferences() {
				if ref.Kind == kindPool {
					p.pools.add(ctrl.Request{NamespacedName: types.NamespacedName{Namespace: key.Namespace, Name: ref.Name}})
				}
			}
		}
	default:
		if watched(was) || watched(is) {
			p.nodes.add(ctrl.Request{NamespacedName: key})
		}
	}
}

// quiet is a context in which nothing is logged.
var quiet = log.IntoContext(context.Background(), logr.Discard())

// queue is a work queue with its workers: no key twice at a time, failures come again later and later.
type queue struct {
	p       *process
	what    string
	does    reconcile.Reconciler
	free    int
	waiting []ctrl.Request
	dirty   map[ctrl.Request]bool
	busy    map[ctrl.Request]bool
	later   map[ctrl.Request]time.Time
	failed  map[ctrl.Request]int
}

func newQueue(p *process, what string, workers int, does reconcile.Reconciler) *queue {
	return &queue{
		p: p, what: what, does: does, free: workers, dirty: map[ctrl.Request]bool{}, busy: map[ctrl.Request]bool{},
		later: map[ctrl.Request]time.Time{}, failed: map[ctrl.Request]int{},
	}
}

func (q *queue) add(r ctrl.Request) {
	if q.dirty[r] {
		return
	}
	q.dirty[r] = true
	if !q.busy[r] {
		q.waiting = append(q.waiting, r)
		q.work()
	}
}

// work starts a worker, if one is free, a moment later.
func (q *queue) work() {
	s := q.p.w.chance.of("workers")
	q.p.w.after(s.between(0, 3*time.Millisecond), func() {
		if q.p.dead || q.free == 0 || len(q.waiting) == 0 {
			return
		}
		n := s.IntN(len(q.waiting))
		r := q.waiting[n]
		q.waiting = append(q.waiting[:n], q.waiting[n+1:]...)
		delete(q.dirty, r)
		q.busy[r] = true
		q.free--
		q.reconcile(r)
	})
}

func (q *queue) reconcile(r ctrl.Request) {
	t := &task{p: q.p, what: q.what, request: r}
	q.p.w.fleet.reconciles(q.what)
	q.p.tasks = append(q.p.tasks, t)
	var result ctrl.Result
	var err error
	q.p.w.begin(t, func() { result, err = q.does.Reconcile(quiet, r) }, func() {
		q.p.forget(t)
		delete(q.busy, r)
		q.free++
		q.again(r, result, err)
		if q.dirty[r] {
			q.waiting = append(q.waiting, r)
		}
		for range q.begins() {
			q.work()
		}
	})
}

// begins is how many workers may begin. In a fleet no more than there are: otherwise each that ends would have all that
// waits begun, in vain.
func (q *queue) begins() int {
	if q.p.w.fleet != nil {
		return min(len(q.waiting), q.free)
	}
	return len(q.waiting)
}

func (p *process) forget(t *task) {
	for n, o := range p.tasks {
		if o == t {
			p.tasks = append(p.tasks[:n], p.tasks[n+1:]...)
			return
		}
	}
}

// again is what controller-runtime makes of the outcome of a reconcile.
func (q *queue) again(r ctrl.Request, result ctrl.Result, err error) {
	switch {
	case err != nil:
		wait := min(100*time.Millisecond<<min(q.failed[r], 10), time.Minute)
		q.failed[r]++
		q.addAfter(r, wait)
	case result.RequeueAfter > 0:
		delete(q.failed, r)
		q.addAfter(r, result.RequeueAfter)
	default:
		delete(q.failed, r)
	}
}

// addAfter adds later; of several wishes the earliest counts.
func (q *queue) addAfter(r ctrl.Request, d time.Duration) {
	at := q.p.w.now.Add(d)
	if due, waits := q.later[r]; waits && !at.Before(due) {
		return
	}
	q.later[r] = at
	q.p.w.after(d, func() {
		if !q.p.dead && q.later[r].Equal(at) {
			delete(q.later, r)
			q.add(r)
		}
	})
}
