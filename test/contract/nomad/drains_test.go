package nomad_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

func (c *check) forced(id string) time.Time {
	n := c.info(id)
	c.holds("it drains", n.DrainStrategy != nil, n.LastDrain)
	return n.DrainStrategy.ForceDeadline
}

// moved tells if what a drain moves has gone. With several nodes draining at once Nomad may miss the end of the last
// allocation; the same request once more makes it look again (facts/nomad.md §2, stall 2).
func (c *check) moved(id string, began time.Time) error {
	n := c.info(id)
	if n.DrainStrategy == nil {
		return nil
	}
	left := c.filtered(`NodeID == "`+id+`" and (ClientStatus == "running" or ClientStatus == "pending")`, nil)
	// What goes last is stopped only when the end of all else was seen.
	left = slices.DeleteFunc(left, func(a *api.AllocationListStub) bool { return a.JobType == "system" })
	if len(left) == 0 && time.Since(began) > 4*time.Second {
		c.drain(id, time.Hour)
	}
	return fmt.Errorf("it drains: %+v", n.LastDrain)
}

func (c *check) awaitMoved(id string) {
	began := time.Now()
	c.await("the allocations to move", func() error { return c.moved(id, began) })
	c.awaitDrained(id)
}

// drains wants it to drain for a while longer.
func (c *check) drains(id string, while time.Duration) {
	c.stays("the drain", while, func() error {
		if n := c.info(id); n.DrainStrategy == nil {
			return fmt.Errorf("it has ended: %+v", n.LastDrain)
		}
		return nil
	})
}

// stopsBatch has a drain stop the only allocation of a batch job, which takes some seconds, on one of two nodes.
func (c *check) stopsBatch() (nodeID, job string) {
	n := c.node(simclient.Options{StopDelay: 5 * time.Second})
	job = c.run(c.job("batch", 1))
	c.awaitRunning(job, 1)
	c.node(simclient.Options{Name: c.id + "-2"})
	c.drain(n.ID(), -1)
	c.awaitDrained(n.ID())
	c.awaitAllocations(job, "being stopped", 1,
		func(a *api.AllocationListStub) bool { return a.DesiredStatus == "stop" && a.ClientStatus == "running" })
	return n.ID(), job
}

// placed wants a job to have had so many allocations.
func (c *check) placed(job string, want int) error {
	list, _, err := c.api.Jobs().Allocations(job, true, nil)
	if err == nil && len(list) != want {
		err = fmt.Errorf("it has %d allocations", len(list))
	}
	return err
}

// isAtLeast asks the servers for their version.
func (c *check) isAtLeast(version ...int) bool {
	self, err := c.api.Agent().Self()
	c.must(err)
	text, _ := self.Config["Version"].(map[string]any)["Version"].(string)
	var is [3]int
	_, err = fmt.Sscanf(text, "%d.%d.%d", &is[0], &is[1], &is[2])
	c.must(err)
	return slices.Compare(is[:], version) >= 0
}

var drains = []behaviour{
	{"drain-of-missing-node-500", "§1 Errors", func(c *check) {
		_, err := c.api.Nodes().
			UpdateDrainOpts(uuid.NewString(), &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}}, nil)
		c.refused(err, http.StatusInternalServerError, notThere)
	}},
	{"drain-makes-ineligible-at-once", "§2", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		n := c.stub(id)
		c.holds("draining, ineligible",
			n.Drain && n.SchedulingEligibility == "ineligible" && n.LastDrain != nil && n.LastDrain.Status == "draining", *n)
	}},
	{"drain-deadline-is-counted-anew-by-each-request", "§0.3", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		first := c.forced(id)
		time.Sleep(1100 * time.Millisecond)
		c.drain(id, time.Hour)
		c.holds("the deadline moved", c.forced(id).Sub(first) > time.Second, first, c.forced(id))
	}},
	{"drain-again-keeps-when-it-began", "§2", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		first := c.info(id)
		time.Sleep(1100 * time.Millisecond)
		c.drain(id, time.Hour)
		again := c.info(id)
		c.holds("strategy began", again.DrainStrategy.StartedAt.Equal(first.DrainStrategy.StartedAt))
		c.holds(
			"last drain began",
			again.LastDrain.StartedAt.Equal(first.LastDrain.StartedAt) &&
				again.LastDrain.UpdatedAt.After(first.LastDrain.UpdatedAt),
			first.LastDrain,
			again.LastDrain,
		)
	}},
	{"drain-without-deadline-has-none", "§2, §10.1", func(c *check) {
		id := c.busy()
		c.drain(id, 0)
		c.holds("zero time", c.forced(id).IsZero())
		c.drains(id, 1500*time.Millisecond)
	}},
	{"drain-deadline-in-force-is-now-plus-it", "§2", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		left := time.Until(c.forced(id))
		c.holds("about an hour", left > 59*time.Minute && left <= time.Hour, left)
	}},
	{"drain-below-zero-forces-now", "§2", func(c *check) {
		n := c.node()
		job := c.run(c.job("batch", 1))
		c.awaitRunning(job, 1)
		c.drain(n.ID(), -1)
		c.awaitDrained(n.ID())
		c.awaitAllocations(job, "stopping", 1,
			func(a *api.AllocationListStub) bool { return a.NodeID == n.ID() && a.DesiredStatus == "stop" })
	}},
	{"drain-deadline-ends-it", "§2", func(c *check) {
		id := c.busy()
		began := time.Now()
		c.drain(id, 2*time.Second)
		c.awaitDrained(id)
		took := time.Since(began)
		c.holds("at the deadline up to 5 s later", took >= 1500*time.Millisecond && took < 20*time.Second, took)
	}},
	{"drain-deadline-reached-is-told", "§2 Completion", func(c *check) {
		id := c.busy()
		c.drain(id, time.Second)
		c.awaitDrained(id)
		var reported bool
		for _, e := range c.info(id).Events {
			reported = reported || e.Message == "Node drain complete" && e.Details["deadline_reached"] == "true"
		}
		c.holds("an event tells", reported, c.info(id).Events)
	}},
	{"drain-of-an-empty-node-completes-soon", "§2", func(c *check) {
		id := c.node().ID()
		began := time.Now()
		c.drain(id, time.Hour)
		n := c.awaitDrained(id)
		c.holds("within seconds", time.Since(began) < 15*time.Second, time.Since(began))
		c.holds("no strategy, ineligible", !n.Drain && n.SchedulingEligibility == "ineligible", n.Drain,
			n.SchedulingEligibility)
	}},
	{"drain-complete-event", "§2 Completion", func(c *check) {
		id := c.node().ID()
		c.drain(id, time.Hour)
		c.awaitDrained(id)
		var texts []string
		for _, e := range c.info(id).Events {
			texts = append(texts, e.Subsystem+": "+e.Message)
		}
		all := strings.Join(texts, "\n")
		c.holds("begin and end are told",
			strings.Contains(all, "Drain: Node drain strategy set") && strings.Contains(all, "Drain: Node drain complete"), all)
	}},
	{"drain-once-more-after-the-end", "§2", func(c *check) {
		id := c.node().ID()
		c.drain(id, time.Hour)
		first := c.awaitDrained(id).LastDrain.StartedAt
		time.Sleep(1100 * time.Millisecond)
		c.drain(id, time.Hour)
		c.awaitNode(id, "drained anew", func(n *api.Node) bool {
			return n.LastDrain.Status == "complete" && n.LastDrain.StartedAt.After(first)
		})
	}},
	{"drain-waits-for-batch", "§2 By job type", func(c *check) {
		a := c.agent()
		job := c.run(c.jobOf("batch", 1, "sleep 4"))
		c.awaitRunning(job, 1)
		c.drain(a.id(), time.Hour)
		c.drains(a.id(), 2*time.Second)
		c.awaitMoved(a.id())
		c.equal("exit", len(c.awaitClient(job, "complete", 1)), 1)
		c.equal("allocations", len(c.allocations(job)), 1) // not replaced
	}},
	{"drain-moves-services", "§2 By job type", func(c *check) {
		first := c.node()
		job := c.run(c.job("service", 3))
		c.awaitRunning(job, 3)
		second := c.node(simclient.Options{Name: c.id + "-2"})
		c.drain(first.ID(), time.Hour)
		c.awaitMoved(first.ID())
		for _, a := range c.awaitRunning(job, 3) {
			c.equal("node", a.NodeID, second.ID())
		}
	}},
	{"drain-service-of-one-without-room-is-stopped", "§2 Stall 3", func(c *check) {
		id := c.node().ID()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		c.drain(id, time.Hour)
		c.awaitMoved(id)
		c.awaitClient(job, "complete", 1)
	}},
	{"drain-second-of-a-service-waits-for-room", "§2 Stall 3", func(c *check) {
		id := c.node().ID()
		job := c.run(c.job("service", 2))
		c.awaitRunning(job, 2)
		c.drain(id, time.Hour)
		c.awaitClient(job, "complete", 1)
		c.drains(id, 2*time.Second)
		c.node(simclient.Options{Name: c.id + "-2"})
		c.awaitMoved(id)
		c.awaitRunning(job, 2)
	}},
	{"drain-keeps-to-max-parallel", "§2 By job type", func(c *check) {
		first := c.node()
		job := c.run(c.job("service", 3))
		c.awaitRunning(job, 3)
		c.node(simclient.Options{Name: c.id + "-2"})
		c.drain(first.ID(), time.Hour)
		least, then, began := 3, []string{}, time.Now()
		c.await("the end", func() error {
			serving := 0
			var seen []string
			for _, a := range c.allocations(job) {
				if a.DesiredStatus == "run" && a.ClientStatus == "running" {
					serving++
				}
				seen = append(seen, a.NodeName+": "+a.DesiredStatus+"/"+a.ClientStatus)
			}
			if serving < least {
				least, then = serving, seen
			}
			return c.moved(first.ID(), began)
		})
		c.holds("two of three go on", least >= 2, least, then)
	}},
	{"drain-system-comes-last", "§2 By job type", func(c *check) {
		a := c.agent()
		system := c.run(c.job("system", 1))
		batch := c.run(c.jobOf("batch", 1, "sleep 4"))
		c.awaitRunning(system, 1)
		c.awaitRunning(batch, 1)
		c.drain(a.id(), time.Hour)
		c.stays("the system job", 1500*time.Millisecond, func() error {
			if got := c.allocations(system)[0]; got.DesiredStatus != "run" {
				return fmt.Errorf("it is to %s", got.DesiredStatus)
			}
			return nil
		})
		c.awaitMoved(a.id())
		c.awaitClient(system, "complete", 1)
	}},
	{"drain-completes-while-system-still-stops", "§2 Complete != stopped", func(c *check) {
		n := c.node(simclient.Options{StopDelay: 10 * time.Second})
		job := c.run(c.job("system", 1))
		c.awaitRunning(job, 1)
		c.drain(n.ID(), time.Hour)
		c.awaitDrained(n.ID())
		// Complete comes first; that the allocation is to stop is decided after it.
		c.awaitAllocations(job, "about to stop", 1,
			func(a *api.AllocationListStub) bool { return a.DesiredStatus == "stop" && a.ClientStatus == "running" })
	}},
	{"drain-completes-at-the-deadline-while-batch-still-stops", "§2 Complete != stopped", func(c *check) {
		n := c.node(simclient.Options{StopDelay: 8 * time.Second})
		job := c.run(c.job("batch", 1))
		c.awaitRunning(job, 1)
		c.drain(n.ID(), time.Second)
		c.awaitDrained(n.ID())
		c.equal("status", c.allocations(job)[0].ClientStatus, "running")
	}},
	{"drain-replaces-no-batch-that-it-stops", "§2 By job type", func(c *check) {
		id, job := c.stopsBatch()
		c.awaitClient(job, "complete", 1)
		c.eligible(id, true)
		c.stays("the job", 2*time.Second, func() error { return c.placed(job, 1) })
	}},
	{"drain-of-batch-that-stops-is-taken-back-too-early", "field l, nomad#28008", func(c *check) {
		id, job := c.stopsBatch()
		c.eligible(id, true)
		if c.isAtLeast(2, 0, 4) {
			c.stays("the job", 4*time.Second, func() error { return c.placed(job, 1) })
			return
		}
		c.await("the job to run twice", func() error { return c.placed(job, 2) })
		first := c.allocations(job)[1] // the newest comes first
		if created := c.allocations(job)[0].CreateTime; created < first.CreateTime {
			first = c.allocations(job)[0]
		}
		c.equal("the first", first.DesiredStatus+"/"+first.ClientStatus, "stop/running")
		c.awaitRunning(job, 1)
	}},
	{"drain-may-leave-system-jobs", "§2", func(c *check) {
		id := c.node().ID()
		job := c.run(c.job("system", 1))
		c.awaitRunning(job, 1)
		c.drainWith(id, &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour, IgnoreSystemJobs: true}})
		c.awaitDrained(id)
		time.Sleep(time.Second)
		c.awaitRunning(job, 1)
	}},
	{"drain-sysbatch-that-ended-is-not-noticed", "§2 Stall 1", func(c *check) {
		a := c.agent()
		job := c.run(c.jobOf("sysbatch", 1, "sleep 3"))
		c.awaitRunning(job, 1)
		c.drain(a.id(), 0)
		c.awaitClient(job, "complete", 1)
		c.drains(a.id(), 3*time.Second)
		c.drain(a.id(), time.Hour) // the drain again
		c.awaitDrained(a.id())
	}},
	{"drain-of-a-down-node-completes", "§2", func(c *check) {
		n := c.node()
		c.must(n.Stop())
		c.awaitStatus(n.ID(), "down")
		c.drain(n.ID(), time.Hour)
		c.awaitDrained(n.ID())
	}},
	{"drain-cancelled", "§2 Cancel", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		c.drainWith(id, &api.DrainOptions{})
		n := c.info(id)
		c.holds("no strategy, still ineligible",
			n.DrainStrategy == nil && n.SchedulingEligibility == "ineligible" && n.LastDrain.Status == "canceled", n.LastDrain)
		c.eligible(id, true)
		c.equal("then", c.info(id).SchedulingEligibility, "eligible")
	}},
	{"drain-cancelled-and-made-eligible", "§2 Cancel", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		c.drainWith(id, &api.DrainOptions{MarkEligible: true})
		c.equal("eligibility", c.info(id).SchedulingEligibility, "eligible")
	}},
	{"drain-cancelled-leaves-batch-alone", "§2 Cancel", func(c *check) {
		id := c.node().ID()
		job := c.run(c.job("batch", 1))
		before := c.awaitRunning(job, 1)[0].ID
		c.drain(id, time.Hour)
		c.drainWith(id, &api.DrainOptions{})
		c.eligible(id, true)
		time.Sleep(1500 * time.Millisecond)
		c.equal("allocation", c.awaitRunning(job, 1)[0].ID, before)
	}},
}

var drainMetas = []behaviour{
	{"drain-meta-is-kept-to-the-end", "§2 LastDrain", func(c *check) {
		id := c.node().ID()
		c.drainWith(id,
			&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}, Meta: map[string]string{"owner": "us"}})
		c.equal("meta", c.awaitDrained(id).LastDrain.Meta, map[string]string{"owner": "us"})
	}},
	{"drain-meta-is-kept-by-an-update-without", "§2 LastDrain", func(c *check) {
		id := c.busy()
		c.drainWith(id,
			&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}, Meta: map[string]string{"owner": "us"}})
		c.drain(id, time.Hour)
		c.equal("meta", c.info(id).LastDrain.Meta, map[string]string{"owner": "us"})
	}},
	{"drain-meta-is-wiped-by-a-fresh-drain-without", "§10.3", func(c *check) {
		id := c.node().ID()
		c.drainWith(id,
			&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}, Meta: map[string]string{"owner": "us"}})
		c.awaitDrained(id)
		c.drain(id, time.Hour)
		c.equal("meta", len(c.info(id).LastDrain.Meta), 0)
	}},
	{"drain-meta-in-the-list", "§1 Stub", func(c *check) {
		id := c.node().ID()
		c.drainWith(id,
			&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}, Meta: map[string]string{"owner": "us"}})
		c.awaitDrained(id)
		c.equal("meta", c.stub(id).LastDrain.Meta, map[string]string{"owner": "us"})
	}},
	{"drain-outlives-eligibility-in-memory", "§10.4", func(c *check) {
		id := c.node().ID()
		c.drain(id, time.Hour)
		c.awaitDrained(id)
		c.eligible(id, true)
		c.equal("last drain", string(c.info(id).LastDrain.Status), "complete")
	}},
	{"drain-times-have-seconds", "§2 LastDrain", func(c *check) {
		id := c.node().ID()
		c.drain(id, time.Hour)
		last := c.awaitDrained(id).LastDrain
		c.holds("no fractions", last.StartedAt.Nanosecond() == 0 && last.UpdatedAt.Nanosecond() == 0, last)
	}},
	{"drain-answers-an-index-to-wait-for", "§10.22", func(c *check) {
		id := c.busy()
		answer, err := c.api.Nodes().
			UpdateDrainOpts(id, &api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}}, nil)
		c.must(err)
		c.holds("the node is as new", answer.NodeModifyIndex > 0 && c.info(id).ModifyIndex >= answer.NodeModifyIndex,
			answer.NodeModifyIndex)
	}},
}
