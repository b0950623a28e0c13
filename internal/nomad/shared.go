package nomad

import (
	"context"
	"time"

	"github.com/go-logr/logr"
	"golang.org/x/sync/semaphore"
)

// shared is what all clusters have together.
type shared struct {
	// slowTurns and farTurns are the turns of servers that are slow, or far (gate), and large those of large answers.
	slowTurns, farTurns *fairTurns
	large               *allLargeTurns
	// nodes and allocations are the memory for lists of them (holding).
	nodes, allocations *semaphore.Weighted
	reputations        *reputations
}

func newShared() shared {
	return shared{slowTurns: &fairTurns{free: slowCallsAtOnce}, farTurns: &fairTurns{free: farCallsAtOnce},
		large: newAllLargeTurns(), nodes: semaphore.NewWeighted(maxReserved),
		allocations: semaphore.NewWeighted(maxAllocationsReserved),
		reputations: &reputations{by: map[string]reputation{}}}
}

// cluster is the one Cluster of a connection.
type cluster struct {
	o        Options
	log      logr.Logger
	remote   *remote
	state    *state
	checks   *tokenChecks
	gate     *gate
	shared   shared
	lastUsed moment
	// lastBeat is when the watcher of the nodes began its last round.
	lastBeat moment
	address  string

	healthLog healthLog

	// refresh ends the wait of a list of nodes, and wakePoll that of a list of allocations.
	wakeNodes, wakeToken, refresh, wakePoll chan struct{}
}

var _ Cluster = (*cluster)(nil)

func newCluster(conn Connection, o Options, all shared) *cluster {
	remote := newRemote(conn, o, all)
	initial := Health{State: HealthUnknown}
	if remote.broken != nil {
		initial = Health{State: HealthNoConnection, Cause: remote.broken.Error()}
	}
	log := o.Log.WithValues("nomad", conn.Address)
	remote.logsIn(conn, o.Clock, log)
	return &cluster{
		o: o, log: log, address: conn.Address, remote: remote, state: newState(initial),
		checks: newTokenChecks(), gate: newGate(o.Clock, all, conn.Address), shared: all,
		healthLog: healthLog{state: initial.State},
		wakeNodes: make(chan struct{}, 1), wakeToken: make(chan struct{}, 1), refresh: make(chan struct{}, 1),
		wakePoll: make(chan struct{}, 1),
	}
}

func (c *cluster) use() { c.lastUsed.note(c.o.Clock.Now()) }

func (c *cluster) idleSince() time.Time { return c.lastUsed.time() }

func (c *cluster) View() View {
	c.use()
	v := c.state.view()
	if last := c.checks.latest.Load(); last != nil {
		v.NoACLs = last.noACLs
	}
	return v
}

func (c *cluster) Allocations() AllocationsView {
	c.use()
	return c.state.allocationsView()
}

func (c *cluster) Refresh() { wake(c.refresh) }

func (c *cluster) TrackAllocations(nodeID string, on bool) {
	c.use()
	if on && checkNodeID(nodeID) != nil {
		return // Nomad can't have such a node, and one bad ID would make the poll fail for all nodes
	}
	if c.state.track(nodeID, on) {
		wake(c.wakePoll)
	}
}

func (c *cluster) Inspect(ctx context.Context, nodeID string) (inspection Inspection, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		inspection, err = c.inspect(ctx, nodeID)
		return err
	})
	if err != nil {
		return Inspection{}, err
	}
	return inspection, nil
}

func (c *cluster) NodesOf(ctx context.Context, poolUID, member string) (nodes []Node, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		nodes, err = c.remote.nodesOf(ctx, poolUID, member)
		return err
	})
	return nodes, err
}

func (c *cluster) StopTime(ctx context.Context, nodeID string) (longest time.Duration, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		longest, err = c.remote.stopTime(ctx, nodeID)
		return err
	})
	return longest, err
}

// inspect reads the node and its allocations, and verifies that the token sees all of them.
func (c *cluster) inspect(ctx context.Context, nodeID string) (Inspection, error) {
	if err := checkNodeID(nodeID); err != nil {
		return Inspection{}, err
	}
	before, err := c.lastCheck(ctx)
	if err != nil {
		return Inspection{}, err
	}
	inspection, err := c.remote.inspect(ctx, nodeID)
	if err != nil || !inspection.Found {
		return inspection, err
	}
	return inspection, c.verify(ctx, before)
}

func (c *cluster) Usage(ctx context.Context, nodeIDs []string) (usage map[string]Usage, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		usage, err = c.remote.usage(ctx, nodeIDs)
		return err
	})
	return usage, err
}

func (c *cluster) Cordon(ctx context.Context, nodeID string) error {
	return c.write(ctx, func(ctx context.Context) error { return c.remote.cordon(ctx, nodeID) })
}

func (c *cluster) CancelDrain(ctx context.Context, nodeID string) error {
	return c.write(ctx, func(ctx context.Context) error { return c.remote.cancelDrain(ctx, nodeID) })
}

func (c *cluster) Uncordon(ctx context.Context, nodeID string) error {
	return c.write(ctx, func(ctx context.Context) error { return c.remote.uncordon(ctx, nodeID) })
}

func (c *cluster) Drain(ctx context.Context, nodeID string, d DrainOptions) (sent bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, c.remote.timeout)
	defer cancel()
	err = c.write(ctx, func(ctx context.Context) error {
		sent, err = c.remote.drain(ctx, nodeID, d, c.o.Clock.Now)
		return err
	})
	return sent, err
}

func (c *cluster) ResendDrain(ctx context.Context, nodeID string, d DrainOptions) error {
	ctx, cancel := context.WithTimeout(ctx, c.remote.timeout)
	defer cancel()
	return c.write(ctx, func(ctx context.Context) error {
		return c.remote.resendDrain(ctx, nodeID, d, c.o.Clock.Now)
	})
}

func (c *cluster) Purge(ctx context.Context, nodeID string) error {
	return c.write(ctx, func(ctx context.Context) error { return c.remote.purge(ctx, nodeID) })
}

func (c *cluster) IntroductionToken(ctx context.Context, name, nodePool string,
	ttl time.Duration) (jwt string, supported bool, err error) {
	err = c.call(ctx, func(ctx context.Context) error {
		jwt, supported, err = c.remote.introductionToken(ctx, name, nodePool, ttl)
		return err
	})
	if jwt != "" {
		c.state.introduced()
	}
	return jwt, supported, err
}
