package nomad

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"
)

// drain sends what DrainToSend returns. It takes the time after it has read the node, because that may take long.
func (r *remote) drain(ctx context.Context, nodeID string, d DrainOptions,
	now func() time.Time) (sent bool, err error) {
	node, err := r.info(ctx, nodeID)
	if err != nil {
		return false, err
	}
	if d.LeavesAlone(node) {
		return false, fmt.Errorf("drain node %s: %w", nodeID, ErrNodeEligible)
	}
	send, due := DrainToSend(node, d, now())
	if !due {
		return false, nil
	}
	err = r.sendDrain(ctx, nodeID, send)
	return err == nil, err
}

// resendDrain sends what DrainToResend returns.
func (r *remote) resendDrain(ctx context.Context, nodeID string, d DrainOptions, now func() time.Time) error {
	node, err := r.info(ctx, nodeID)
	if err != nil {
		return err
	}
	send, due := DrainToResend(node, d, now())
	if !due {
		return fmt.Errorf("resend the drain of node %s: %w", nodeID, ErrNotDraining)
	}
	return r.sendDrain(ctx, nodeID, send)
}

func (r *remote) sendDrain(ctx context.Context, nodeID string, d DrainOptions) error {
	spec := &api.DrainSpec{Deadline: d.Deadline(), IgnoreSystemJobs: d.IgnoreSystemJobs}
	return r.write(ctx, "drain node "+nodeID, func(w *api.WriteOptions) error {
		_, err := r.api.Nodes().UpdateDrainOpts(nodeID, &api.DrainOptions{
			DrainSpec: spec,
			Meta: map[string]string{metaDrainID: d.DrainID, metaOnTimeout: string(d.OnTimeout()),
				metaIgnoreSystemJobs: strconv.FormatBool(d.IgnoreSystemJobs), MetaPool: d.Pool, MetaMember: d.Member,
				"message": "nomad-harvester takes this node away"},
		}, w)
		return err
	})
}

// cordon is a single request. Nomad writes nothing if the node is ineligible already (Nomad: nomad/node_endpoint.go,
// UpdateEligibility).
func (r *remote) cordon(ctx context.Context, nodeID string) error {
	if err := checkNodeID(nodeID); err != nil {
		return err
	}
	return r.setEligibility(ctx, "cordon node ", nodeID, false)
}

func (r *remote) uncordon(ctx context.Context, nodeID string) error {
	return r.apply(ctx, nodeID, UncordonWrites)
}

func (r *remote) cancelDrain(ctx context.Context, nodeID string) error {
	return r.apply(ctx, nodeID, CancelWrites)
}

// apply reads the node and does the writes that it needs, one after the other.
func (r *remote) apply(ctx context.Context, nodeID string, writes func(Node) []NodeWrite) error {
	node, err := r.info(ctx, nodeID)
	if err != nil {
		return err
	}
	for _, w := range writes(node) {
		switch w {
		case WriteCancelDrain:
			err = r.endDrain(ctx, nodeID)
		case WriteEligible:
			err = r.setEligibility(ctx, "uncordon node ", nodeID, true)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *remote) endDrain(ctx context.Context, nodeID string) error {
	return r.write(ctx, "cancel drain of node "+nodeID, func(w *api.WriteOptions) error {
		_, err := r.api.Nodes().UpdateDrainOpts(nodeID, &api.DrainOptions{}, w)
		return err
	})
}

func (r *remote) setEligibility(ctx context.Context, doing, nodeID string, eligible bool) error {
	return r.write(ctx, doing+nodeID, func(w *api.WriteOptions) error {
		_, err := r.api.Nodes().ToggleEligibility(nodeID, eligible, w)
		return err
	})
}
