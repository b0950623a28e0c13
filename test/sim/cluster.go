package sim

import (
	"context"
	"fmt"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// cluster is a process's way to Nomad: nomad.Cluster with the requests that internal/nomad sends, one by one, so that
// others act in between.
type cluster struct {
	p *process

	view        nomad.View
	asOf        time.Time // when the servers read what the view shows
	listErr     error
	tokenKnown  bool
	blind       bool // the token was found not to see all allocations
	watched     bool
	address     string // nowhere: nobody answers
	allocations nomad.AllocationsView
	tracked     map[string]bool
	polling     bool
	failures    int
	asked       uint64    // the index that the waiting list waits for to pass
	round       int       // of the list that waits
	cut         time.Time // until when this process can't reach Nomad
}

var _ nomad.Cluster = (*cluster)(nil)

// requestTimeout is how long a request may take (internal/nomad: Options.RequestTimeout).
const requestTimeout = 10 * time.Second

func (c *cluster) reaches() bool {
	return c.address != nowhere && c.p.w.nomad.answers() && !c.p.w.now.Before(c.cut)
}

// ask sends one request. What it does to Nomad may fail before, and its answer may be lost after.
func (c *cluster) ask(doing string, writes bool, effect func() error) error {
	w, t := c.p.w, c.p.w.running
	s, e := w.chance.of("nomad requests"), w.chance.of("errors")
	t.pass(c.p.delay(s) + w.nomad.delay(s))
	if !c.reaches() {
		t.pass(s.between(0, requestTimeout))
		return fmt.Errorf("%s: %w", doing, nomad.ErrUnreachable)
	}
	if w.faulty && e.once(w.Faults.Errors) {
		return fmt.Errorf("%s: %w", doing, nomad.ErrUnreachable)
	}
	if writes && w.faulty && w.chance.of("crashes").once(2*w.Faults.Crashes) {
		t.die("before a write to Nomad")
	}
	err := effect()
	if err == errNotFound { //nolint:errorlint // it is our own, not wrapped
		err = nomad.ErrNodeNotFound
	}
	if err != nil {
		return fmt.Errorf("%s: %w", doing, err)
	}
	if writes && w.faulty && w.chance.of("crashes").once(w.Faults.Crashes) {
		t.die("after a write to Nomad")
	}
	if writes && w.faulty && e.once(w.Faults.Errors) {
		t.pass(requestTimeout)
		return fmt.Errorf("%s: the answer was lost: %w", doing, nomad.ErrUnreachable)
	}
	t.pass(s.between(0, 3*time.Millisecond))
	return nil
}

// write is a request that changes a node.
func (c *cluster) write(doing, nodeID string, effect func() error) error {
	return c.ask(doing, true, func() error {
		w := c.p.w
		w.writes++
		w.note(c.p.name, w.nodeName(nodeID), "Nomad: %s", doing)
		w.checks.asksNomad(w.running, doing, nodeID)
		return effect()
	})
}

// info reads a node; it says what drain there was, and when.
func (c *cluster) info(nodeID string) (nomad.Node, sight, error) {
	var out nomad.Node
	var s sight
	err := c.ask("read node", false, func() error {
		x := c.p.w.nomad.nodes[nodeID]
		if x == nil {
			return errNotFound
		}
		out, s = x.seen(), sight{x.drain, c.p.w.now}
		return nil
	})
	return out, s, err
}

// sight is the drain that a node had at a moment; nil: none.
type sight struct {
	drain *drain
	at    time.Time
}

// View is nomad.Cluster's.
func (c *cluster) View() nomad.View { return c.view }

// Allocations is nomad.Cluster's.
func (c *cluster) Allocations() nomad.AllocationsView { return c.allocations }

// Inspect is nomad.Cluster's: the node first, then its allocations.
func (c *cluster) Inspect(_ context.Context, nodeID string) (nomad.Inspection, error) {
	x, _, err := c.info(nodeID)
	if notFound(err) {
		c.p.w.running.looks[nodeID] = look{at: c.p.w.now}
		return nomad.Inspection{}, nil
	}
	if err != nil {
		return nomad.Inspection{}, err
	}
	in := nomad.Inspection{Found: true, Node: c.p.w.nomad.withMeta(x)}
	err = c.ask("list allocations", false, func() error {
		in.Live = c.p.w.nomad.listed(nodeID)
		return nil
	})
	if err != nil {
		return nomad.Inspection{}, err
	}
	if err := c.verify(); err != nil {
		return nomad.Inspection{}, err
	}
	c.p.w.running.looks[nodeID] = look{at: c.p.w.now, open: x.Eligible}
	return in, nil
}

// Usage is nomad.Cluster's.
func (c *cluster) Usage(_ context.Context, nodeIDs []string) (map[string]nomad.Usage, error) {
	out := map[string]nomad.Usage{}
	err := c.ask("list allocations", false, func() error {
		for _, nodeID := range nodeIDs {
			u := nomad.Usage{}
			for _, a := range c.p.w.nomad.listed(nodeID) {
				u.Allocations++
				u.CPU += 100
				u.MemoryMB += 100
				if a.JobType == system {
					u.SystemAllocations++
				}
			}
			out[nodeID] = u
		}
		return nil
	})
	return out, err
}

// Cordon is nomad.Cluster's.
func (c *cluster) Cordon(_ context.Context, nodeID string) error {
	return c.write("cordon", nodeID, func() error { return c.p.w.nomad.setEligible(nodeID, false, us) })
}

// Uncordon is nomad.Cluster's: a drain is canceled first.
func (c *cluster) Uncordon(ctx context.Context, nodeID string) error {
	if err := c.CancelDrain(ctx, nodeID); err != nil {
		return err
	}
	return c.write("uncordon", nodeID, func() error {
		c.p.w.checks.uncordons(nodeID)
		return c.p.w.nomad.setEligible(nodeID, true, us)
	})
}

// CancelDrain is nomad.Cluster's.
func (c *cluster) CancelDrain(_ context.Context, nodeID string) error {
	x, _, err := c.info(nodeID)
	if err != nil || !x.Draining {
		return err
	}
	return c.write("cancel drain", nodeID, func() error { return c.p.w.nomad.setDrain(nodeID, nil, us) })
}

// Drain is nomad.Cluster's: nothing is sent if the node drains, or did drain, under the intent as it is to (internal/nomad:
// hasDrained, servedBy).
func (c *cluster) Drain(_ context.Context, nodeID string, r nomad.DrainRequest) (bool, error) {
	x, seen, err := c.info(nodeID)
	if err != nil || hasDrained(x, r.IntentID) && servedBy(x, r) {
		return false, err
	}
	if !r.NoDeadline {
		r = c.kickRequest(x, seen, r)
	}
	err = c.sendDrain("drain", nodeID, r, seen.at)
	return err == nil, err
}

func onTimeout(r nomad.DrainRequest) v1alpha1.DrainTimeoutAction {
	if r.NoDeadline {
		return v1alpha1.DrainRetain
	}
	return v1alpha1.DrainForce
}

func servedBy(x nomad.Node, r nomad.DrainRequest) bool {
	if !x.Draining {
		return r.IgnoreSystemJobs || !x.LastDrain.IgnoreSystemJobs
	}
	return x.LastDrain.OnTimeout == onTimeout(r) && x.LastDrain.IgnoreSystemJobs == r.IgnoreSystemJobs
}

func hasDrained(x nomad.Node, intent string) bool {
	if x.LastDrain == nil || intent == "" || x.LastDrain.IntentID != intent {
		return false
	}
	return x.Draining || x.LastDrain.Status == nomad.DrainComplete && !x.Eligible
}

// KickDrain is nomad.Cluster's.
func (c *cluster) KickDrain(_ context.Context, nodeID string, r nomad.DrainRequest) error {
	x, seen, err := c.info(nodeID)
	if err != nil {
		return err
	}
	return c.sendDrain("kick drain", nodeID, c.kickRequest(x, seen, r), seen.at)
}

// kickRequest never asks for an end that is later than what the drain has.
func (c *cluster) kickRequest(x nomad.Node, seen sight, r nomad.DrainRequest) nomad.DrainRequest {
	d := seen.drain
	if !hasDrained(x, r.IntentID) || d == nil || d.force.IsZero() {
		return r
	}
	left := d.force.Sub(c.p.w.now) - 2*time.Second
	if r.NoDeadline || left < r.Remaining {
		r.Remaining = left
	}
	r.NoDeadline = false
	return r
}

// sendDrain sends a drain that was found to be needed at looked.
func (c *cluster) sendDrain(doing, nodeID string, r nomad.DrainRequest, looked time.Time) error {
	return c.write(doing, nodeID, func() error {
		w := c.p.w
		d := &drain{intent: r.IntentID, onTimeout: onTimeout(r), ignoreSystem: r.IgnoreSystemJobs}
		if !r.NoDeadline {
			d.force = w.now.Add(max(r.Remaining, 0))
		}
		w.checks.drains(w.running, doing, nodeID, d, looked)
		return w.nomad.setDrain(nodeID, d, us)
	})
}

// Purge is nomad.Cluster's: a node that is gone already is as good.
func (c *cluster) Purge(_ context.Context, nodeID string) error {
	err := c.write("purge", nodeID, func() error { return c.p.w.nomad.purge(nodeID) })
	if notFound(err) {
		return nil
	}
	return err
}

// IntroductionToken is nomad.Cluster's.
func (c *cluster) IntroductionToken(context.Context, string, string, time.Duration) (string, bool, error) {
	err := c.ask("make introduction token", false, func() error { return nil })
	return "token", true, err
}
