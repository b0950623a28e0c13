package nomad

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
)

// cluster is the one Cluster of a connection.
type cluster struct {
	o      Options
	log    logr.Logger
	remote *remote
	state  *state
	checks *tokenChecks
	// lastUsed is in nanoseconds since 1970.
	lastUsed atomic.Int64

	healthLog healthLog

	wakeNodes, wakeToken, wakePoll chan struct{}
}

var _ Cluster = (*cluster)(nil)

func newCluster(conn Connection, o Options) *cluster {
	remote := newRemote(conn, o.RequestTimeout)
	initial := Health{State: HealthUnknown}
	if remote.broken != nil {
		initial = Health{State: HealthNoConnection, Cause: remote.broken.Error()}
	}
	return &cluster{
		o: o, log: o.Log.WithValues("nomad", conn.Address), remote: remote, state: newState(initial),
		checks:    newTokenChecks(),
		healthLog: healthLog{state: initial.State},
		wakeNodes: make(chan struct{}, 1), wakeToken: make(chan struct{}, 1), wakePoll: make(chan struct{}, 1),
	}
}

func (c *cluster) use() { c.lastUsed.Store(c.o.Clock.Now().UnixNano()) }

func (c *cluster) idleSince() time.Time { return time.Unix(0, c.lastUsed.Load()) }

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

func (c *cluster) TrackAllocations(nodeID string, on bool) {
	c.use()
	if on && checkNodeID(nodeID) != nil {
		return // Nomad can't have such a node, and one bad ID would make the poll fail for all nodes
	}
	if c.state.track(nodeID, on) {
		wake(c.wakePoll)
	}
}

// inspectLimit bounds the time of one Inspect, in timeouts of a single request. How many requests an Inspect makes
// depends on the server's answers, and it blocks one of the few workers that all pools share.
const inspectLimit = 3

func (c *cluster) Inspect(ctx context.Context, nodeID string) (Inspection, error) {
	c.use()
	ctx, cancel := context.WithTimeout(ctx, inspectLimit*c.remote.timeout)
	defer cancel()
	inspection, err := c.inspect(ctx, nodeID)
	c.noteError(err)
	if err != nil {
		return Inspection{}, err
	}
	return inspection, nil
}

func (c *cluster) StopTime(ctx context.Context, nodeID string) (time.Duration, error) {
	c.use()
	longest, err := c.remote.stopTime(ctx, nodeID)
	c.noteError(err)
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

func (c *cluster) Usage(ctx context.Context, nodeIDs []string) (map[string]Usage, error) {
	c.use()
	usage, err := c.remote.usage(ctx, nodeIDs)
	c.noteError(err)
	return usage, err
}

func (c *cluster) Cordon(ctx context.Context, nodeID string) error {
	return c.wrote(c.remote.cordon(ctx, nodeID))
}

func (c *cluster) CancelDrain(ctx context.Context, nodeID string) error {
	return c.wrote(c.remote.cancelDrain(ctx, nodeID))
}

func (c *cluster) Uncordon(ctx context.Context, nodeID string) error {
	return c.wrote(c.remote.uncordon(ctx, nodeID))
}

func (c *cluster) Drain(ctx context.Context, nodeID string, d DrainOptions) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, c.remote.timeout)
	defer cancel()
	sent, err := c.remote.drain(ctx, nodeID, d, c.o.Clock.Now)
	return sent, c.wrote(err)
}

func (c *cluster) ResendDrain(ctx context.Context, nodeID string, d DrainOptions) error {
	ctx, cancel := context.WithTimeout(ctx, c.remote.timeout)
	defer cancel()
	return c.wrote(c.remote.resendDrain(ctx, nodeID, d, c.o.Clock.Now))
}

func (c *cluster) Purge(ctx context.Context, nodeID string) error {
	return c.wrote(c.remote.purge(ctx, nodeID))
}

func (c *cluster) IntroductionToken(ctx context.Context, name, nodePool string,
	ttl time.Duration) (string, bool, error) {
	c.use()
	jwt, supported, err := c.remote.introductionToken(ctx, name, nodePool, ttl)
	c.noteError(err)
	if jwt != "" {
		c.state.introduced()
	}
	return jwt, supported, err
}

// wrote is called after each write. A list that waits at the server returns by itself once the write took effect. One
// that pauses after a failure is woken.
func (c *cluster) wrote(err error) error {
	c.use()
	c.noteError(err)
	if err == nil {
		wake(c.wakeNodes)
	}
	return err
}
