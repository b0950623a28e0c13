package nomad

import (
	"context"
	"time"
)

// Cluster is one Nomad cluster as the controllers see it. All methods may be called at the same time.
//
// The errors are, by errors.Is, ErrNodeNotFound, ErrForbidden, ErrUnreachable, where it is documented ErrNotDraining,
// or another error of Nomad's. None of them holds a secret.
type Cluster interface {
	// View is the latest known state of the nodes; it never blocks.
	View() View
	// Refresh has the nodes listed soon rather than when one of them changes; it never blocks. The View that comes of it
	// is as new as whoever takes something away needs it. OnChange isn't called unless something has changed.
	Refresh()
	// Allocations is the latest known state of the tracked nodes' allocations; it never blocks.
	Allocations() AllocationsView
	// TrackAllocations adds a node to those whose allocations are polled, or removes it. The poll runs only while there is
	// such a node.
	TrackAllocations(nodeID string, on bool)
	// Inspect asks the leader for the node, then for its live allocations, and then if the token still sees all of them.
	// If it doesn't, that is an error, and the health has the reason. A missing node is not an error.
	Inspect(ctx context.Context, nodeID string) (Inspection, error)
	// NodesOf asks the leader for the nodes that say in their meta that they are this member, whatever their IDs, and that
	// aren't down. It returns MaxNodesOf of them at most.
	NodesOf(ctx context.Context, poolUID, member string) ([]Node, error)
	// StopTime is how long the node's live allocations may take to stop, as their jobs are promised: the shutdown_delay of
	// the group, and then the shutdown_delay and kill_timeout of its leader, of the slowest of its other tasks, and of the
	// slowest of its sidecars, one after the other. A client may cut kill_timeout short (max_kill_timeout), and then the
	// allocations end earlier. Poststop tasks aren't counted, because jobs don't declare how long they run. The result may
	// be a century: a job's author may write any value.
	StopTime(ctx context.Context, nodeID string) (time.Duration, error)
	// Usage returns how busy the nodes are, with an entry for each. It takes one request per hundred nodes.
	Usage(ctx context.Context, nodeIDs []string) (map[string]Usage, error)
	// Cordon makes a node ineligible.
	Cordon(ctx context.Context, nodeID string) error
	// CancelDrain ends a drain if there is one, and leaves the node ineligible.
	CancelDrain(ctx context.Context, nodeID string) error
	// Uncordon ends a drain if there is one, and makes the node eligible.
	Uncordon(ctx context.Context, nodeID string) error
	// Drain starts to drain a node, unless the node drains or has drained already for the same DrainID: Nomad would count
	// the deadline from the start again. A drain that somebody else started is taken over. A drain of the same DrainID is
	// sent again if it was sent with a deadline and is to have none, or the other way round. It returns whether it sent a
	// drain; if not, Nomad has it. ErrNodeEligible: nothing was sent, because of OnlyIneligible.
	Drain(ctx context.Context, nodeID string, d DrainOptions) (sent bool, err error)
	// ResendDrain sends the drain again, to wake one that Nomad has forgotten. The deadline of a drain of this DrainID
	// doesn't move later. ErrNotDraining: nothing was sent, because the drain has ended or been canceled meanwhile.
	ResendDrain(ctx context.Context, nodeID string, d DrainOptions) error
	// Purge removes a node from Nomad. A missing node is success. The node's VM has to be gone first: a client that still
	// runs registers again within seconds, eligible.
	Purge(ctx context.Context, nodeID string) error
	// IntroductionToken makes a token that lets a client of that name join that node pool. Servers clamp the ttl (to 30
	// minutes by default). Servers without such tokens, those before 1.11, give supported=false and no error.
	IntroductionToken(ctx context.Context, name, nodePool string,
		ttl time.Duration) (jwt string, supported bool, err error)
}
