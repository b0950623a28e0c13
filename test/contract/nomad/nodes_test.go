package nomad_test

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

const notThere = "node not found"

// matches wants a filter to let through so many of two nodes: one has meta, and its name ends in -one.
func matches(condition string, want int) func(*check) {
	return func(c *check) {
		c.node(
			simclient.Options{Name: c.id + "-one", NodeClass: "first", Meta: map[string]string{"plain": "p", "a.b/c": "x"}})
		c.node(simclient.Options{Name: c.id + "-two"})
		c.equal(condition, len(c.list(`NodePool == "`+c.id+`" and `+condition)), want)
	}
}

const (
	unreadable = "failed to read filter expression"
	unmatched  = "failed to read result page" // the first item shows that the filter doesn't fit
)

// badFilter wants the whole list to fail.
func badFilter(filter, words string) func(*check) {
	return func(c *check) {
		c.node()
		_, _, err := c.api.Nodes().List(&api.QueryOptions{Filter: filter})
		c.refused(err, http.StatusBadRequest, words)
	}
}

var nodeLists = []behaviour{
	{"list-filter-pool", "§1 Filter", matches(`Status == "ready"`, 2)},
	{"list-filter-meta-bracket", "§1 Filter", matches(`Meta["a.b/c"] == "x"`, 1)},
	{"list-filter-meta-missing-key-matches-nothing", "§1 Filter", matches(`Meta["none"] == "x"`, 0)},
	{"list-filter-meta-missing-key-unequal-matches", "§1 Filter", matches(`Meta["none"] != "x"`, 2)},
	{"list-filter-key-in-meta", "§1 Filter", matches(`"plain" in Meta`, 1)},
	{"list-filter-attributes", "§1 Filter", matches(`Attributes["kernel.name"] == "linux"`, 2)},
	{"list-filter-name-by-expression", "§1 Filter", matches(`Name matches "-one$"`, 1)},
	{"list-filter-class", "§1 Filter", matches(`NodeClass == "first"`, 1)},
	{"list-filter-eligibility", "§1 Filter", matches(`SchedulingEligibility == "ineligible"`, 0)},
	{"list-filter-create-index", "§1 Filter", matches(`CreateIndex != 0`, 2)},
	{"list-filter-dotted-key-fails", "§1 Filter, §10.17", badFilter(`Meta.a.b == "x"`, unmatched)},
	{"list-filter-unknown-field-fails", "§1 Filter", badFilter(`Nothing == "x"`, unmatched)},
	{"list-filter-drain-strategy-fails", "§1 Filter", badFilter(`DrainStrategy.Deadline == 1`, unmatched)},
	{"list-filter-syntax-error-fails", "§1 Filter", badFilter(`Name ==`, unreadable)},
	{"list-prefix-of-id", "§1", func(c *check) {
		id := c.node().ID()
		nodes, _, err := c.api.Nodes().PrefixList(id[:8])
		c.must(err)
		c.holds("the node is found by its prefix", len(nodes) == 1 && nodes[0].ID == id)
	}},
	{"list-odd-prefix-fails", "§1", func(c *check) {
		_, _, err := c.api.Nodes().PrefixList("abc")
		c.refused(err, http.StatusInternalServerError, "")
	}},
	{"list-pages-in-order-of-id", "§1", func(c *check) {
		for i := range 5 {
			c.node(simclient.Options{Name: fmt.Sprintf("%s-%d", c.id, i)})
		}
		q, seen, pages := &api.QueryOptions{Filter: `NodePool == "` + c.id + `"`, PerPage: 2}, []string{}, 0
		for ; pages == 0 || q.NextToken != ""; pages++ {
			nodes, meta, err := c.api.Nodes().List(q)
			c.must(err)
			for _, n := range nodes {
				seen = append(seen, n.ID)
			}
			if meta.NextToken != "" {
				for _, n := range nodes {
					c.holds("the next page begins behind this one", n.ID < meta.NextToken, n.ID, meta.NextToken)
				}
			}
			q.NextToken = meta.NextToken
		}
		c.equal("pages", pages, 3)
		c.equal("nodes", len(seen), 5)
	}},
	{"list-hides-meta-and-strategy", "§1 Stub", func(c *check) {
		c.node(simclient.Options{Meta: map[string]string{"secret-key": "v"}})
		got := c.http(http.MethodGet, "/v1/nodes", nil)
		c.holds(
			"no meta",
			got.status == http.StatusOK && !strings.Contains(got.body, "secret-key") &&
				!strings.Contains(got.body, "DrainStrategy"),
			got.body,
		)
	}},
	{"list-resources-when-asked", "§1 Stub", func(c *check) {
		id := c.node(simclient.Options{CPUMHz: 1234}).ID()
		c.holds("none by default", c.stub(id).NodeResources == nil)
		nodes, _, err := c.api.Nodes().
			List(&api.QueryOptions{Filter: `ID == "` + id + `"`, Params: map[string]string{"resources": "true"}})
		c.must(err)
		c.equal("CPU", nodes[0].NodeResources.Cpu.CpuShares, int64(1234))
	}},
	{"list-shows-address-version-drivers", "§1 Stub", func(c *check) {
		n := c.stub(c.node().ID())
		c.holds(
			"all are there",
			n.Address == "127.0.0.1" && n.Version != "" && n.Drivers["raw_exec"] != nil && n.Name == c.id &&
				n.NodePool == c.id &&
				n.Datacenter == "dc1",
			*n,
		)
	}},
	{"list-blocks-until-a-node-changes", "§1 Blocking", func(c *check) {
		c.node()
		_, meta, err := c.api.Nodes().List(nil)
		c.must(err)
		other := make(chan struct{})
		go func() {
			defer close(other)
			time.Sleep(300 * time.Millisecond)
			for _, n := range c.list(`NodePool == "` + c.id + `"`) {
				_, _ = c.api.Nodes().ToggleEligibility(n.ID, false, nil)
			}
		}()
		// The filter matches nothing, and yet the write wakes.
		_, next, err := c.api.Nodes().
			List(&api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 30 * time.Second, Filter: `Name == "nobody"`})
		c.must(err)
		<-other
		c.holds("the index grew", next.LastIndex > meta.LastIndex, meta.LastIndex, next.LastIndex)
	}},
	{"list-answers-an-index-and-a-leader", "§1 Blocking", func(c *check) {
		c.node()
		_, meta, err := c.api.Nodes().List(nil)
		c.must(err)
		c.holds("index and leader are known", meta.LastIndex > 0 && meta.KnownLeader, *meta)
	}},
	{"list-without-any-node-has-the-index-0", "seen of 1.11.3", func(c *check) {
		s, err := nomad.StartServer(c.ctx, nomad.ServerOptions{Bin: c.bin, Dir: c.dir(), HeartbeatGrace: grace})
		c.must(err)
		c.later(s.Stop)
		_, meta, err := s.Client.Nodes().List(nil)
		c.must(err)
		c.equal("index", meta.LastIndex, uint64(0)) // who waits with it doesn't wait
		began := time.Now()
		_, _, err = s.Client.Nodes().List(&api.QueryOptions{WaitIndex: 1, WaitTime: time.Second})
		c.must(err)
		c.holds("with 1 it waits", time.Since(began) >= time.Second, time.Since(began))
	}},
	{"list-stale-is-answered", "§1", func(c *check) {
		_, meta, err := c.api.Nodes().List(&api.QueryOptions{AllowStale: true})
		c.must(err)
		c.holds("a leader is known", meta.KnownLeader)
	}},
}

var nodeReads = []behaviour{
	{"read-missing-node-404", "§1 Errors", func(c *check) {
		_, _, err := c.api.Nodes().Info(uuid.NewString(), nil)
		c.refused(err, http.StatusNotFound, notThere)
	}},
	{"read-shows-meta-and-attributes", "§1 Stub", func(c *check) {
		n := c.info(c.node(simclient.Options{Meta: map[string]string{"a.b": "v"}}).ID())
		c.holds("meta and attributes",
			n.Meta["a.b"] == "v" && n.Attributes["kernel.name"] == "linux" && n.StatusUpdatedAt > 0, n.Meta, n.Attributes)
	}},
	{"read-hides-the-secret", "§3", func(c *check) {
		var n struct{ ID, SecretID string }
		_, err := c.api.Raw().Query("/v1/node/"+c.node().ID(), &n, nil)
		c.must(err)
		c.holds("an ID and no secret", n.ID != "" && n.SecretID == "", n)
	}},
	{"read-wakes-on-that-node", "§1 Blocking", func(c *check) {
		id := c.node().ID()
		var index uint64
		c.await("quiet", func() error { // the first heartbeats write
			_, meta, err := c.api.Nodes().Info(id, nil)
			index = meta.LastIndex
			return err
		})
		go func() {
			time.Sleep(300 * time.Millisecond)
			_, _ = c.api.Nodes().ToggleEligibility(id, false, nil)
		}()
		c.awaitNode(id, "ineligible", func(*api.Node) bool {
			n, meta, err := c.api.Nodes().Info(id, &api.QueryOptions{WaitIndex: index, WaitTime: 20 * time.Second})
			c.must(err)
			index = meta.LastIndex
			return n.SchedulingEligibility == "ineligible"
		})
	}},
	{"read-blocks-no-longer-than-asked", "§1 Blocking", func(c *check) {
		id := c.node().ID()
		var took time.Duration
		c.await("an unchanged answer", func() error {
			_, meta, err := c.api.Nodes().Info(id, nil)
			c.must(err)
			began := time.Now()
			_, next, err := c.api.Nodes().Info(id, &api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: time.Second})
			c.must(err)
			took = time.Since(began)
			if next.LastIndex != meta.LastIndex {
				return fmt.Errorf("the node changed")
			}
			return nil
		})
		c.holds("a second and a little", took >= 900*time.Millisecond && took < 10*time.Second, took)
	}},
	{"read-events-tell-of-registration", "§1", func(c *check) {
		events := c.info(c.node().ID()).Events
		c.holds("it has registered", len(events) > 0 && strings.Contains(events[0].Message, "registered"), events)
	}},
	{"allocations-of-a-missing-node-are-none", "§0.6", func(c *check) {
		got, _, err := c.api.Nodes().Allocations(uuid.NewString(), nil)
		c.must(err)
		c.equal("allocations", len(got), 0)
	}},
}

var eligibilities = []behaviour{
	{"eligibility-set-and-back", "§2", func(c *check) {
		id := c.node().ID()
		c.equal("at first", c.info(id).SchedulingEligibility, "eligible")
		c.eligible(id, false)
		c.equal("then", c.stub(id).SchedulingEligibility, "ineligible")
		c.eligible(id, true)
		c.equal("at last", c.stub(id).SchedulingEligibility, "eligible")
	}},
	{"eligibility-of-missing-node-500", "§1 Errors", func(c *check) {
		_, err := c.api.Nodes().ToggleEligibility(uuid.NewString(), false, nil)
		c.refused(err, http.StatusInternalServerError, notThere)
	}},
	{"eligibility-while-draining-500", "§2 Cancel", func(c *check) {
		id := c.busy()
		c.drain(id, time.Hour)
		_, err := c.api.Nodes().ToggleEligibility(id, true, nil)
		c.refused(err, http.StatusInternalServerError, "draining")
	}},
	{"eligibility-ineligible-gets-no-work", "§2", func(c *check) {
		id := c.node().ID()
		c.eligible(id, false)
		job := c.run(c.job("service", 1))
		c.stays("nothing is placed", time.Second, func() error {
			if n := len(c.allocations(job)); n != 0 {
				return fmt.Errorf("%d are", n)
			}
			return nil
		})
		c.eligible(id, true) // which unblocks what waits
		c.awaitRunning(job, 1)
	}},
	{"eligibility-survives-a-reconnect", "§3 Reboot", func(c *check) {
		n := c.node()
		c.eligible(n.ID(), false)
		c.must(n.Pause())
		c.awaitStatus(n.ID(), "down")
		c.must(n.Resume())
		c.awaitStatus(n.ID(), "ready")
		c.equal("eligibility", c.info(n.ID()).SchedulingEligibility, "ineligible")
	}},
}

var purges = []behaviour{
	{"purge-of-missing-node-500", "§1 Errors, §10.7", func(c *check) {
		_, _, err := c.api.Nodes().Purge(uuid.NewString(), nil)
		c.refused(err, http.StatusInternalServerError, notThere)
	}},
	{"purge-down-node-is-gone", "§2", func(c *check) {
		n := c.node()
		c.must(n.Stop())
		_, _, err := c.api.Nodes().Purge(n.ID(), nil)
		c.must(err)
		_, _, err = c.api.Nodes().Info(n.ID(), nil)
		c.refused(err, http.StatusNotFound, notThere)
		c.equal("in the list", len(c.list(`NodePool == "`+c.id+`"`)), 0)
	}},
	{"purge-live-node-returns-eligible", "§0.4", func(c *check) {
		n := c.node()
		created := c.info(n.ID()).CreateIndex
		c.eligible(n.ID(), false)
		_, _, err := c.api.Nodes().Purge(n.ID(), nil)
		c.must(err)
		again := c.awaitNode(n.ID(), "back", func(n *api.Node) bool { return n.CreateIndex > created && n.Status == "ready" })
		c.equal("eligibility", again.SchedulingEligibility, "eligible")
		c.holds("no drain is remembered", again.LastDrain == nil)
	}},
	{"purge-loses-allocations", "§2", func(c *check) {
		n := c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		c.must(n.Stop())
		_, _, err := c.api.Nodes().Purge(n.ID(), nil)
		c.must(err)
		c.awaitClient(job, "lost", 1)
	}},
	{"purge-frees-the-id-for-another-secret", "§3", func(c *check) {
		first := c.node()
		c.must(first.Stop())
		second, refusal := c.simulate(simclient.Options{ID: first.ID(), NodePool: c.id, Name: c.id + "-b"})
		c.await("the refusal", func() error {
			if !strings.Contains(refusal(), "node secret ID does not match") {
				return fmt.Errorf("it says %q", refusal())
			}
			return nil
		})
		_, _, err := c.api.Nodes().Purge(first.ID(), nil)
		c.must(err)
		c.awaitNode(second.ID(), "of the second",
			func(n *api.Node) bool { return n.Name == c.id+"-b" && n.Status == "ready" })
	}},
}

var heartbeats = []behaviour{
	{"heartbeat-lost-is-down-in-seconds", "§7", func(c *check) {
		n := c.node()
		began := time.Now()
		c.must(n.Stop())
		c.awaitStatus(n.ID(), "down")
		took := time.Since(began)
		c.holds("not at once, and soon", took > grace && took < 6*grace, took)
	}},
	{"heartbeat-again-is-ready-again", "§7", func(c *check) {
		n := c.node()
		c.must(n.Pause())
		c.awaitStatus(n.ID(), "down")
		began := time.Now()
		c.must(n.Resume())
		c.awaitStatus(n.ID(), "ready")
		c.holds("soon", time.Since(began) < 6*grace, time.Since(began))
	}},
	{"heartbeat-writes-nothing", "§1 Blocking", func(c *check) {
		id := c.node().ID()
		time.Sleep(time.Second)
		before := c.info(id).ModifyIndex
		time.Sleep(3 * time.Second)
		c.equal("index", c.info(id).ModifyIndex, before)
	}},
	{"heartbeat-lost-loses-allocations", "§2", func(c *check) {
		n := c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		c.must(n.Stop())
		c.awaitClient(job, "lost", 1)
	}},
	{"heartbeat-lost-moves-allocations", "§2", func(c *check) {
		first := c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		second := c.node(simclient.Options{Name: c.id + "-2"})
		c.must(first.Stop())
		c.awaitAllocations(job, "on the other node", 1, func(a *api.AllocationListStub) bool {
			return a.NodeID == second.ID() && a.ClientStatus == "running"
		})
	}},
	{"heartbeat-lost-completes-the-drain", "§2", func(c *check) {
		n := c.node()
		job := c.run(c.job("batch", 1))
		c.awaitRunning(job, 1)
		c.drain(n.ID(), time.Hour)
		c.must(n.Stop())
		c.awaitStatus(n.ID(), "down")
		c.awaitMoved(n.ID())
	}},
}

// busy is a node with a batch allocation that ends only when it's told to.
func (c *check) busy() string {
	id := c.node().ID()
	c.awaitRunning(c.run(c.job("batch", 1)), 1)
	return id
}
