package sim

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// sendsAlways doesn't check if the drain was sent.
type sendsAlways struct{ nomad.Cluster }

// Drain sends.
func (s sendsAlways) Drain(_ context.Context, nodeID string, r nomad.DrainOptions) (bool, error) {
	c := s.Cluster.(*cluster)
	err := c.sendDrain("drain", nodeID, r, c.p.w.now)
	return err == nil, err
}

// fullDeadline gives each drain the whole time.
type fullDeadline struct{ sendsAlways }

// Drain sends.
func (f fullDeadline) Drain(ctx context.Context, nodeID string, r nomad.DrainOptions) (bool, error) {
	r.Remaining = 5 * time.Minute
	return f.sendsAlways.Drain(ctx, nodeID, r)
}

// ResendDrain sends.
func (f fullDeadline) ResendDrain(ctx context.Context, nodeID string, r nomad.DrainOptions) error {
	_, err := f.Drain(ctx, nodeID, r)
	return err
}

// trusting sees no allocations on a node whose drain Nomad calls complete.
type trusting struct{ nomad.Cluster }

// Inspect believes Nomad.
func (t trusting) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := t.Cluster.Inspect(ctx, nodeID)
	if in.Found && !in.Node.Draining && !in.Node.Eligible {
		in.Live = nil
	}
	return in, err
}

// Allocations believes Nomad.
func (t trusting) Allocations() nomad.AllocationsView {
	v := t.Cluster.Allocations()
	live := map[string][]nomad.Allocation{}
	for nodeID, as := range v.Live {
		if x := t.View().Nodes[nodeID]; !x.Draining && !x.Eligible {
			as = nil
		}
		live[nodeID] = as
	}
	v.Live = live
	return v
}

// viewing answers from what was seen last.
type viewing struct{ nomad.Cluster }

// Inspect doesn't ask.
func (v viewing) Inspect(_ context.Context, nodeID string) (nomad.Inspection, error) {
	x, found := v.View().Nodes[nodeID]
	return nomad.Inspection{Found: found, Node: x, Live: v.Allocations().Live[nodeID]}, nil
}

// deaf takes errors for answers.
type deaf struct{ nomad.Cluster }

// View is always fresh and well.
func (d deaf) View() nomad.View {
	v := d.Cluster.View()
	v.Health.State, v.Taken = nomad.HealthReachable, d.Cluster.(*cluster).p.w.now
	return v
}

// Inspect always has an answer.
func (d deaf) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := d.Cluster.Inspect(ctx, nodeID)
	if err != nil {
		return nomad.Inspection{}, nil //nolint:nilerr // the bug
	}
	return in, nil
}

// ageless takes each view for new, as long as Nomad answers.
type ageless struct{ nomad.Cluster }

// View was taken just now.
func (a ageless) View() nomad.View {
	v := a.Cluster.View()
	if c := a.Cluster.(*cluster); c.known() {
		v.Taken = c.p.w.now
	}
	return v
}

// halfCancel ends the drain and leaves the node ineligible.
type halfCancel struct{ nomad.Cluster }

// Uncordon only ends the drain.
func (h halfCancel) Uncordon(_ context.Context, nodeID string) error {
	c := h.Cluster.(*cluster)
	return c.write("cancel drain", nodeID, func() error { return c.nomad.setDrain(nodeID, nil, us) })
}

// fullCancel makes nodes eligible whoever made them ineligible.
type fullCancel struct{ nomad.Cluster }

// CancelDrain does all that Uncordon does.
func (f fullCancel) CancelDrain(ctx context.Context, nodeID string) error {
	return f.Uncordon(ctx, nodeID)
}

// credulous believes a list of allocations whatever the token sees.
type credulous struct{ nomad.Cluster }

// Inspect shows the node without allocations if the token sees none.
func (c credulous) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := c.Cluster.Inspect(ctx, nodeID)
	if x, found := c.View().Nodes[nodeID]; errors.Is(err, nomad.ErrForbidden) && found {
		return nomad.Inspection{Found: true, Node: x}, nil
	}
	return in, err
}

// overlooks doesn't count the allocations of one status.
type overlooks struct {
	nomad.Cluster
	status string
}

func (o overlooks) isOf(a nomad.Allocation) bool { return a.ClientStatus == o.status }

// Inspect leaves them out.
func (o overlooks) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := o.Cluster.Inspect(ctx, nodeID)
	in.Live = slices.DeleteFunc(slices.Clone(in.Live), o.isOf)
	return in, err
}

// Allocations leaves them out.
func (o overlooks) Allocations() nomad.AllocationsView {
	v := o.Cluster.Allocations()
	live := map[string][]nomad.Allocation{}
	for nodeID, as := range v.Live {
		live[nodeID] = slices.DeleteFunc(slices.Clone(as), o.isOf)
	}
	v.Live = live
	return v
}
