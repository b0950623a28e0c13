package nomad

import (
	"cmp"
	"context"
	"errors"
	"net/netip"
	"sync"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// Options of NewClusters. The zero value of each is a sane default.
type Options struct {
	// Clock; nil: the real one.
	Clock clock.WithTicker
	// Log; zero: nothing is logged.
	Log logr.Logger
	// OnChange is called after these nodes of a cluster, or the live allocations of them while they are tracked, changed;
	// no IDs mean that its health changed, which concerns all that use the cluster. It is called from the watchers, at the
	// same time from several, and must not block. nil: it isn't called.
	OnChange func(of Cluster, nodeIDs []string)
	// RefuseAddress is asked for each address, with its port, that is about to be dialled for a connection whose OfPool
	// is set.
	// An error refuses it, and its text is the Cause of the health. It must not block. nil: none is refused.
	RefuseAddress func(netip.AddrPort) error
	// PollNodes is how long a list of nodes waits for a change before it is answered anyway: how old a View may be while
	// all is well. Default 45 s, because load balancers give up a request that has no answer after 50 or 60 s.
	PollNodes time.Duration
	// AskLeader is how long after the leader was asked for it is asked for again with the next list of nodes, if that has
	// a change. Default 10 s.
	AskLeader time.Duration
	// MinInterval is the least time between the starts of two lists of nodes, and the first pause after a failure.
	// Default 500 ms.
	MinInterval time.Duration
	// PollAllocations is the least time between the starts of two lists of allocations while some are tracked.
	// Default 1 s.
	PollAllocations time.Duration
	// AwaitAllocations is how long a list of allocations waits for a change before it is answered anyway. Default 10 s.
	AwaitAllocations time.Duration
	// CheckToken is the time between two checks of what the token grants. Default 3 min.
	CheckToken time.Duration
	// RequestTimeout of a single request, on top of the time that it waits for a change. Default 10 s.
	RequestTimeout time.Duration
	// IdleAfter is how long a cluster is watched after it was last asked for anything, View and Allocations included.
	// After that OnChange isn't called any more. So a caller that waits for a change has to call Clusters.Get and View
	// well within this time. That goes for pools, and for members that drain after their pool was deleted or moved to
	// another cluster. The reconcilers do it every 3 min (controllers/nomadlink: Refresh). Default 10 min.
	IdleAfter time.Duration
}

func (o Options) withDefaults() Options {
	if o.Clock == nil {
		o.Clock = clock.RealClock{}
	}
	if o.OnChange == nil {
		o.OnChange = func(Cluster, []string) {}
	}
	if o.Log.GetSink() == nil {
		o.Log = logr.Discard()
	}
	o.PollNodes = cmp.Or(o.PollNodes, 45*time.Second)
	o.AskLeader = cmp.Or(o.AskLeader, 10*time.Second)
	o.MinInterval = cmp.Or(o.MinInterval, 500*time.Millisecond)
	o.PollAllocations = cmp.Or(o.PollAllocations, time.Second)
	o.AwaitAllocations = cmp.Or(o.AwaitAllocations, 10*time.Second)
	o.CheckToken = cmp.Or(o.CheckToken, 3*time.Minute)
	o.RequestTimeout = cmp.Or(o.RequestTimeout, 10*time.Second)
	o.IdleAfter = cmp.Or(o.IdleAfter, 10*time.Minute)
	return o
}

// Clusters has one Cluster for each distinct Connection. It is a Runnable of controller-runtime's manager.
type Clusters struct {
	o Options

	mu      sync.Mutex
	entries map[string]*entry
	ctx     context.Context // of Start; nil before it
	watches sync.WaitGroup
	shared  shared
}

type entry struct {
	cluster *cluster
	stop    context.CancelFunc // nil: not watched
}

// NewClusters returns an empty set. Nothing is watched before Start.
func NewClusters(o Options) *Clusters {
	return &Clusters{o: o.withDefaults(), entries: map[string]*entry{}, shared: newShared()}
}

// Get returns the Cluster of the connection, and has it watched from now on. Call it each time rather than keep the
// result: one that wasn't used for IdleAfter is dropped, and its View isn't updated any more. Requests work before
// Start as well.
func (c *Clusters) Get(conn Connection) Cluster {
	key := conn.key()
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[key]
	if e == nil {
		e = &entry{cluster: newCluster(conn, c.o, c.shared)}
		c.entries[key] = e
		c.watch(e)
	}
	e.cluster.use()
	return e.cluster
}

// watch is called with the lock held.
func (c *Clusters) watch(e *entry) {
	if c.ctx == nil || c.ctx.Err() != nil || e.stop != nil || e.cluster.remote.broken != nil {
		return
	}
	ctx, cancel := context.WithCancel(c.ctx)
	e.stop = cancel
	e.cluster.beat()
	c.watches.Go(func() { e.cluster.run(ctx) })
}

// NeedLeaderElection has only the leader watch: the others would double the load for nothing.
func (c *Clusters) NeedLeaderElection() bool { return true }

// Start watches until ctx ends, and returns when all watchers have.
func (c *Clusters) Start(ctx context.Context) error {
	c.mu.Lock()
	if c.ctx != nil {
		c.mu.Unlock()
		return errors.New("the watchers of Nomad were started twice")
	}
	c.ctx = ctx
	for _, e := range c.entries {
		c.watch(e)
	}
	c.mu.Unlock()

	ticker := c.o.Clock.NewTicker(max(c.o.IdleAfter/10, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			c.awaitGets()
			c.watches.Wait()
			return nil
		case <-ticker.C():
			c.dropIdle()
		}
	}
}

// awaitGets waits for a Get that is starting a watcher. Once the context has ended no other Get starts one.
func (c *Clusters) awaitGets() {
	c.mu.Lock()
	defer c.mu.Unlock()
}

// Drop ends the watch of a cluster that nobody uses any more, such as one with a token that was rotated: its watchers
// would ask Nomad for another IdleAfter. Who still has it may ask it, but its View isn't updated any more.
func (c *Clusters) Drop(of Cluster) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.entries {
		if e.cluster == of {
			c.end(key, e)
			return
		}
	}
}

// end is called with the lock held.
func (c *Clusters) end(key string, e *entry) {
	if e.stop != nil {
		e.stop()
	}
	delete(c.entries, key)
}

// dropIdle drops the clusters that weren't used for IdleAfter: those of deleted pools and of rotated tokens.
func (c *Clusters) dropIdle() {
	limit := c.o.Clock.Now().Add(-c.o.IdleAfter)
	c.mu.Lock()
	defer c.mu.Unlock()
	for key, e := range c.entries {
		if !e.cluster.idleSince().After(limit) {
			c.end(key, e)
		}
	}
}
