package nomad

import (
	"context"
	"time"
)

// Cluster is one Nomad cluster as the controllers see it. All methods may be called at the same time.
//
// The errors are, by errors.Is, ErrNodeNotFound, ErrForbidden, ErrUnreachable, where it is said ErrNotDraining, or
// something else that Nomad said; none of them holds a secret.
type Cluster interface {
	// View is the latest known state of the nodes; it never blocks.
	View() View
	// Allocations is the latest known state of the tracked nodes' allocations; it never blocks.
	Allocations() AllocationsView
	// TrackAllocations says if a node's allocations are of interest. The poll runs only while some are.
	TrackAllocations(nodeID string, on bool)
	// Inspect asks the leader for the node, then for its live allocations, and then if the token still sees all of them.
	// It is an error if it doesn't, and the health tells why. A missing node is none.
	Inspect(ctx context.Context, nodeID string) (Inspection, error)
	// StopTime is how long what lives on the node may take to stop, by what its jobs were promised: the shutdown_delay
	// of the group, and then the shutdown_delay and kill_timeout of its leader, of the slowest of its other tasks, and
	// of the slowest of its sidecars, one after the other. A client may give less of kill_timeout (max_kill_timeout),
	// and then the allocations end before. Poststop tasks aren't in it: nobody has said how long they run. A job's
	// author may have written anything: it may be a century.
	StopTime(ctx context.Context, nodeID string) (time.Duration, error)
	// Usage says how busy the nodes are; each gets an entry. It takes one request per hundred nodes.
	Usage(ctx context.Context, nodeIDs []string) (map[string]Usage, error)
	// Cordon makes a node ineligible.
	Cordon(ctx context.Context, nodeID string) error
	// CancelDrain ends a drain if there is one, and leaves the node ineligible.
	CancelDrain(ctx context.Context, nodeID string) error
	// Uncordon ends a drain if there is one, and makes the node eligible.
	Uncordon(ctx context.Context, nodeID string) error
	// Drain starts to drain a node, unless it drains, or did drain, under this intent already: Nomad would count the
	// deadline from the start again. A drain of somebody else's is taken over, and one that runs under this intent is sent
	// again if it was sent with a deadline and is to have none, or the other way round. It says if it was sent.
	Drain(ctx context.Context, nodeID string, r DrainRequest) (sent bool, err error)
	// ResendDrain sends the drain again, to wake one that Nomad has forgotten. The deadline of a drain under this intent
	// doesn't move later. ErrNotDraining: nothing was sent, because the drain has ended or been canceled meanwhile.
	ResendDrain(ctx context.Context, nodeID string, r DrainRequest) error
	// Purge makes Nomad forget a node. A missing node is success. The node's VM has to be gone: a client that still lives
	// registers again within seconds, eligible.
	Purge(ctx context.Context, nodeID string) error
	// IntroductionToken makes a token that lets a client of that name join that node pool. Servers clamp the ttl (to 30
	// minutes, unless told otherwise). Servers without such tokens, those before 1.11, give supported=false and no error.
	IntroductionToken(ctx context.Context, name, nodePool string,
		ttl time.Duration) (jwt string, supported bool, err error)
}
