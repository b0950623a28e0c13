package sim

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// cluster is a process's way to Nomad: nomad.Cluster with the requests that internal/nomad sends, one by one, so that
// others act in between.
type cluster struct {
	p     *process
	nomad *nomadServer // nil: nobody answers

	view          nomad.View
	asOf          time.Time // when the servers read what the view shows
	listErr       error
	tokenKnown    bool
	allocsUnknown bool // the token was found not to see all allocations
	grants        int  // what its grants were found to be (internal/nomad: tokenCheck)
	watched       bool
	allocations   nomad.AllocationsView
	tracked       map[string]bool
	polling       bool
	failures      int
	asked         uint64    // the index that the waiting list waits for to pass
	round         int       // of the list that waits
	cut           time.Time // until when this process can't reach Nomad
	lostAt        time.Time // when Nomad was found to be unknown last
	foundAt       time.Time // when it was found to be known again
}

var _ nomad.Cluster = (*cluster)(nil)

// requestTimeout is how long a request may take (internal/nomad: Options.RequestTimeout).
const requestTimeout = 10 * time.Second

func (c *cluster) reaches() bool {
	return c.nomad != nil && c.nomad.answers() && !c.p.w.now.Before(c.cut)
}

// name is what the trace calls the Nomad.
func (c *cluster) name() string {
	if c.nomad == nil {
		return "Nomad at " + nowhere
	}
	return c.nomad.name
}

// ask sends one request. What it does to Nomad may fail before, and its answer may be lost after.
func (c *cluster) ask(doing string, writes bool, effect func() error) error {
	w, t := c.p.w, c.p.w.running
	w.fleet.asksNomad()
	s, e := w.chance.of("nomad requests"), w.chance.of("errors")
	late := c.p.delay(s)
	if c.nomad != nil {
		late += c.nomad.delay(s)
	}
	t.pass(late)
	if !c.reaches() {
		t.pass(s.between(0, requestTimeout))
		return lost(doing)
	}
	if w.faulty && e.once(w.Faults.Errors) {
		return answer(doing, writes, errNoLeader)
	}
	if writes && w.faulty && w.chance.of("crashes").once(2*w.Faults.Crashes) {
		t.die("before a write to Nomad")
	}
	if err := effect(); err != nil {
		return answer(doing, writes, err)
	}
	if writes && w.faulty && w.chance.of("crashes").once(w.Faults.Crashes) {
		t.die("after a write to Nomad")
	}
	if writes && w.faulty && e.once(w.Faults.Errors) {
		t.pass(requestTimeout)
		return lost(doing)
	}
	t.pass(s.between(0, 3*time.Millisecond))
	return nil
}

// write is a request that changes a node.
func (c *cluster) write(doing, nodeID string, effect func() error) error {
	return c.ask(doing, true, func() error {
		w := c.p.w
		w.writes++
		w.note(c.p.name, w.nodeName(nodeID), "%s: %s", c.name(), doing)
		w.checks.asksNomad(w.running, c, doing, nodeID)
		return effect()
	})
}

// info reads a node, and says when the servers did.
func (c *cluster) info(nodeID string) (nomad.Node, time.Time, error) {
	var out nomad.Node
	var at time.Time
	err := c.ask("read node", false, func() error {
		x := c.nomad.nodes[nodeID]
		if x == nil {
			return errNotFound
		}
		out, at = c.nomad.report(x), c.p.w.now
		if x.drain != nil {
			out.StopsNow = x.drain.now
			if !out.StopsNow { // as Nomad has it: nomad/node_endpoint.go, UpdateDrain
				out.ForceDeadline = x.drain.force
			}
		}
		return nil
	})
	return out, at, err
}

// View is nomad.Cluster's.
func (c *cluster) View() nomad.View {
	if t := c.p.w.running; t != nil && t.p == c.p {
		s := t.sights[c] // what the task decides by
		s.recovered, s.viewed = c.view.RecoveredSince, c.p.w.now
	}
	return c.view
}

// Allocations is nomad.Cluster's.
func (c *cluster) Allocations() nomad.AllocationsView { return c.allocations }

// StopTime is nomad.Cluster's. Simulated jobs were promised no more than the usual time.
func (c *cluster) StopTime(context.Context, string) (time.Duration, error) { return 0, nil }

// Inspect is nomad.Cluster's: the node first, then its allocations.
func (c *cluster) Inspect(_ context.Context, nodeID string) (nomad.Inspection, error) {
	before, err := c.lastCheck()
	if err != nil {
		return nomad.Inspection{}, err
	}
	x, _, err := c.info(nodeID)
	if notFound(err) {
		c.p.w.running.observed[nodeID] = observation{at: c.p.w.now}
		return nomad.Inspection{}, nil
	}
	if err != nil {
		return nomad.Inspection{}, err
	}
	in := nomad.Inspection{Found: true, Node: c.nomad.withMeta(x)}
	at := c.p.w.now
	err = c.ask("list allocations", false, func() error {
		in.Live, at = c.nomad.listed(c.nomad.on(nodeID)), c.p.w.now
		return nil
	})
	if err != nil {
		return nomad.Inspection{}, err
	}
	if err := c.verify(before); err != nil {
		return nomad.Inspection{}, err
	}
	c.p.w.running.observed[nodeID] = observation{at: at, open: x.Eligible}
	return in, nil
}

// NodesOf is nomad.Cluster's.
func (c *cluster) NodesOf(_ context.Context, poolUID, member string) (out []nomad.Node, err error) {
	err = c.ask("list nodes", false, func() error {
		c.p.w.running.sought = c.p.w.now
		for _, x := range c.nomad.nodes {
			if n := c.nomad.withMeta(x.seen()); n.Status != nomad.NodeDown && n.PoolUID == poolUID && n.Member == member {
				out = append(out, x.seen())
			}
		}
		return nil
	})
	slices.SortFunc(out, func(a, b nomad.Node) int { return strings.Compare(a.ID, b.ID) })
	return out, err
}

// Usage is nomad.Cluster's.
func (c *cluster) Usage(_ context.Context, nodeIDs []string) (map[string]nomad.Usage, error) {
	out := map[string]nomad.Usage{}
	err := c.ask("list allocations", false, func() error {
		for _, nodeID := range nodeIDs {
			u := nomad.Usage{}
			for _, a := range c.nomad.listed(c.nomad.live(nodeID)) {
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
	return c.write("cordon", nodeID, func() error { return c.nomad.setEligible(nodeID, false, us) })
}

// Uncordon is nomad.Cluster's: a drain is canceled first.
func (c *cluster) Uncordon(_ context.Context, nodeID string) error {
	return c.apply(nodeID, nomad.UncordonWrites)
}

// CancelDrain is nomad.Cluster's.
func (c *cluster) CancelDrain(_ context.Context, nodeID string) error {
	return c.apply(nodeID, nomad.CancelWrites)
}

// apply reads the node and does the writes that follow.
func (c *cluster) apply(nodeID string, writes func(nomad.Node) []nomad.NodeWrite) error {
	x, _, err := c.info(nodeID)
	if err != nil {
		return err
	}
	for _, doing := range writes(x) {
		err := c.write(string(doing), nodeID, func() error {
			if doing == nomad.WriteCancelDrain {
				return c.nomad.setDrain(nodeID, nil, us)
			}
			if c.p.w.fleet == nil {
				c.p.w.checks.uncordons(nodeID)
			}
			return c.nomad.setEligible(nodeID, true, us)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Drain is nomad.Cluster's: nothing is sent if the node drains, or did drain, under the drain request as it is to.
func (c *cluster) Drain(_ context.Context, nodeID string, r nomad.DrainOptions) (bool, error) {
	x, at, err := c.info(nodeID)
	if err != nil {
		return false, err
	}
	if r.LeavesAlone(x) {
		return false, nomad.ErrNodeEligible
	}
	r, due := nomad.DrainToSend(x, r, c.p.w.now)
	if !due {
		return false, nil
	}
	err = c.sendDrain("drain", nodeID, r, at)
	return err == nil, err
}

// ResendDrain is nomad.Cluster's.
func (c *cluster) ResendDrain(_ context.Context, nodeID string, r nomad.DrainOptions) error {
	x, at, err := c.info(nodeID)
	if err != nil {
		return err
	}
	r, due := nomad.DrainToResend(x, r, c.p.w.now)
	if !due {
		return fmt.Errorf("resend drain: %w", nomad.ErrNotDraining)
	}
	return c.sendDrain("resend drain", nodeID, r, at)
}

// sendDrain sends a drain that was found to be needed at found. Its end counts from when it arrives.
func (c *cluster) sendDrain(doing, nodeID string, r nomad.DrainOptions, found time.Time) error {
	return c.write(doing, nodeID, func() error {
		w := c.p.w
		d := &drain{request: r.DrainID, onTimeout: r.OnTimeout(), ignoreSystem: r.IgnoreSystemJobs, now: r.Deadline() < 0}
		if left := r.Deadline(); left != 0 {
			d.force = w.now.Add(max(left, 0))
		}
		w.checks.drains(w.running, c, doing, nodeID, d, found)
		return c.nomad.setDrain(nodeID, d, us)
	})
}

// Purge is nomad.Cluster's: a node that is gone already is as good.
func (c *cluster) Purge(_ context.Context, nodeID string) error {
	err := c.write("purge", nodeID, func() error { return c.nomad.purge(nodeID) })
	if notFound(err) {
		return nil
	}
	return err
}

// IntroductionToken is nomad.Cluster's. The token tells when it expires.
func (c *cluster) IntroductionToken(_ context.Context, _, _ string, ttl time.Duration) (string, bool, error) {
	var token string
	err := c.ask("make introduction token", false, func() error {
		token = fmt.Sprintf("token-%d", c.p.w.now.Add(ttl).Unix())
		return nil
	})
	return token, true, err
}
