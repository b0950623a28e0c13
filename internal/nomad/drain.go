package nomad

import (
	"context"
	"strconv"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const (
	// noDeadline and forceNow are Nomad's deadlines for "never" and "now".
	noDeadline = 0
	forceNow   = -1 * time.Second
	// kickMargin is what a kick takes off the deadline, for the way to the server: Nomad counts from when it arrives.
	kickMargin = 2 * time.Second
)

// drain sends the drain unless Nomad has it as it is wanted now: one that was sent under the intent for another end than it is
// to have is sent once more. Nomad sets the deadline anew with each request (Nomad: nomad/node_endpoint.go, UpdateDrain), so
// that a drain that is sent again and again never comes to its end.
func (r *remote) drain(ctx context.Context, nodeID string, d DrainRequest, now time.Time) (sent bool, err error) {
	node, err := r.info(ctx, nodeID)
	if err != nil {
		return false, err
	}
	if n := nodeFromInfo(node); hasDrained(n, d.IntentID) && d.servedBy(n) {
		return false, nil
	}
	if !d.NoDeadline {
		d = kickRequest(node, d, now)
	}
	err = r.sendDrain(ctx, nodeID, d)
	return err == nil, err
}

// onTimeout is what the request has Nomad do when the time is over.
func (d DrainRequest) onTimeout() v1alpha1.DrainTimeoutAction {
	if d.NoDeadline {
		return v1alpha1.DrainRetain
	}
	return v1alpha1.DrainForce
}

// servedBy is true when the node's drain, which is that of the request's intent, does what the request asks for. What has
// been drained already with system jobs is empty whatever is asked for now.
func (d DrainRequest) servedBy(n Node) bool {
	if !n.Draining {
		return d.IgnoreSystemJobs || !n.LastDrain.IgnoreSystemJobs
	}
	return n.LastDrain.OnTimeout == d.onTimeout() && n.LastDrain.IgnoreSystemJobs == d.IgnoreSystemJobs
}

// hasDrained reports if the node drains under the intent, or did and was left ineligible, as Nomad leaves it.
func hasDrained(n Node, intentID string) bool {
	if n.LastDrain == nil || intentID == "" || n.LastDrain.IntentID != intentID {
		return false
	}
	return n.Draining || n.LastDrain.Status == DrainComplete && !n.Eligible
}

// kick sends the drain again, bounded by the deadline that Nomad has for it.
func (r *remote) kick(ctx context.Context, nodeID string, d DrainRequest, now time.Time) error {
	node, err := r.info(ctx, nodeID)
	if err != nil {
		return err
	}
	return r.sendDrain(ctx, nodeID, kickRequest(node, d, now))
}

// kickRequest is the request to send again: never one that ends later than what the drain has.
func kickRequest(node *api.Node, d DrainRequest, now time.Time) DrainRequest {
	if !hasDrained(nodeFromInfo(node), d.IntentID) || node.DrainStrategy == nil || node.DrainStrategy.ForceDeadline.IsZero() {
		return d
	}
	left := node.DrainStrategy.ForceDeadline.Sub(now) - kickMargin
	if d.NoDeadline || left < d.Remaining {
		d.Remaining = left
	}
	d.NoDeadline = false
	return d
}

// deadline is what Nomad calls the deadline: how long from when the request arrives.
func (d DrainRequest) deadline() time.Duration {
	switch {
	case d.NoDeadline:
		return noDeadline
	case d.Remaining <= 0:
		return forceNow
	}
	return d.Remaining
}

func (r *remote) sendDrain(ctx context.Context, nodeID string, d DrainRequest) error {
	spec := &api.DrainSpec{Deadline: d.deadline(), IgnoreSystemJobs: d.IgnoreSystemJobs}
	return r.write(ctx, "drain node "+nodeID, func(w *api.WriteOptions) error {
		_, err := r.api.Nodes().UpdateDrainOpts(nodeID, &api.DrainOptions{
			DrainSpec: spec,
			Meta: map[string]string{
				metaIntent:           d.IntentID,
				metaOnTimeout:        string(d.onTimeout()),
				metaIgnoreSystemJobs: strconv.FormatBool(d.IgnoreSystemJobs),
				v1alpha1.MetaPool:    d.Pool,
				v1alpha1.MetaNode:    d.Member,
				"message":            "nomad-harvester takes this node away",
			},
		}, w)
		return err
	})
}

// cordon is one request, and none that writes when the node is ineligible already (Nomad: nomad/node_endpoint.go,
// UpdateEligibility).
func (r *remote) cordon(ctx context.Context, nodeID string) error {
	if err := checkNodeID(nodeID); err != nil {
		return err
	}
	return r.setEligibility(ctx, "cordon node ", nodeID, false)
}

// uncordon ends the drain first: Nomad refuses to make a draining node eligible. It doesn't let the end of the drain
// do both, because older servers then leave blocked evaluations waiting (hashicorp/nomad#27488).
func (r *remote) uncordon(ctx context.Context, nodeID string) error {
	if err := r.cancelDrain(ctx, nodeID); err != nil {
		return err
	}
	return r.setEligibility(ctx, "uncordon node ", nodeID, true)
}

func (r *remote) cancelDrain(ctx context.Context, nodeID string) error {
	node, err := r.info(ctx, nodeID)
	if err != nil || node.DrainStrategy == nil {
		return err
	}
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
