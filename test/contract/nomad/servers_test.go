package nomad_test

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// listen opens the event stream from now on, and returns its batches until the check ends. It doesn't ask for all
// that is kept: a reader that begins with the oldest is soon too slow where much happens.
func (c *check) listen(topics map[api.Topic][]string) <-chan *api.Events {
	_, meta, err := c.api.Nodes().List(nil)
	c.must(err)
	ctx, cancel := context.WithCancel(c.ctx)
	c.later(func() error { cancel(); return nil })
	events, err := c.api.EventStream().Stream(ctx, topics, meta.LastIndex, nil)
	c.must(err)
	return events
}

// hear waits for an event that satisfies.
func (c *check) hear(events <-chan *api.Events, what string, ok func(api.Event) bool) api.Event {
	late := time.After(c.timeout)
	var seen []string
	for {
		select {
		case <-late:
			c.fatalf("no %s came; seen: %v", what, seen)
		case batch, open := <-events:
			c.holds("the stream stays open", open)
			c.must(batch.Err)
			for _, e := range batch.Events {
				if ok(e) {
					return e
				}
				seen = append(seen, e.Type)
			}
		}
	}
}

func (c *check) hearType(events <-chan *api.Events, kind, key string) api.Event {
	return c.hear(events, kind, func(e api.Event) bool { return e.Type == kind && e.Key == key })
}

var streams = []behaviour{
	{"stream-node-registration", "§1 Event stream", func(c *check) {
		events := c.listen(map[api.Topic][]string{"Node": {"*"}})
		id := c.node().ID()
		e := c.hearType(events, "NodeRegistration", id)
		n, err := e.Node()
		c.must(err)
		c.holds("the whole node", n.Name == c.id && n.Attributes["kernel.name"] == "linux" && e.Index > 0, n)
	}},
	{"stream-node-drain-and-eligibility", "§1 Event stream", func(c *check) {
		id := c.node().ID()
		events := c.listen(map[api.Topic][]string{"Node": {id}})
		c.eligible(id, false)
		c.hear(events, "NodeDrain", func(e api.Event) bool {
			n, err := e.Node()
			return err == nil && e.Type == "NodeDrain" && n.SchedulingEligibility == "ineligible"
		})
		c.drain(id, time.Hour)
		c.hear(events, "NodeDrain", func(e api.Event) bool {
			n, err := e.Node()
			return err == nil && e.Type == "NodeDrain" && n.LastDrain != nil
		})
	}},
	{"stream-node-status-has-a-name-of-its-own", "§1 Event stream", func(c *check) {
		n := c.node()
		events := c.listen(map[api.Topic][]string{"Node": {n.ID()}})
		c.must(n.Stop())
		c.hear(events, "NodeStreamEvent", func(e api.Event) bool {
			n, err := e.Node()
			return err == nil && e.Type == "NodeStreamEvent" && n.Status == "down"
		})
	}},
	{"stream-tells-no-purge", "§0.5", func(c *check) {
		n := c.node()
		c.must(n.Stop())
		other := c.node(simclient.Options{Name: c.id + "-2"})
		events := c.listen(map[api.Topic][]string{"Node": {"*"}})
		_, _, err := c.api.Nodes().Purge(n.ID(), nil)
		c.must(err)
		c.eligible(other.ID(), false)
		c.hear(events, "what came after", func(e api.Event) bool {
			c.holds("no deregistration", e.Type != "NodeDeregistration", e.Key)
			node, err := e.Node()
			return err == nil && e.Key == other.ID() && node.SchedulingEligibility == "ineligible"
		})
	}},
	{"stream-of-one-node-has-no-others", "§1 Event stream", func(c *check) {
		one, two := c.node(), c.node(simclient.Options{Name: c.id + "-2"})
		events := c.listen(map[api.Topic][]string{"Node": {one.ID()}})
		c.eligible(two.ID(), false)
		c.eligible(one.ID(), false)
		c.hear(events, "its own", func(e api.Event) bool {
			c.equal("node", e.Key, one.ID())
			n, err := e.Node()
			return err == nil && n.SchedulingEligibility == "ineligible"
		})
	}},
	{"stream-allocations-by-job", "§1 Event stream", func(c *check) {
		events := c.listen(map[api.Topic][]string{"Allocation": {"*"}})
		c.node()
		job := c.run(c.job("service", 1))
		c.hear(events, "allocation", func(e api.Event) bool {
			a, err := e.Allocation()
			return err == nil && a != nil && a.JobID == job && e.Type == "AllocationUpdated"
		})
	}},
	{"stream-sends-a-sign-of-life-at-once", "§1 Event stream", func(c *check) {
		ctx, cancel := context.WithTimeout(c.ctx, 10*time.Second)
		defer cancel()
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.addr+"/v1/event/stream?topic=Node:none", nil)
		c.must(err)
		response, err := http.DefaultClient.Do(request)
		c.must(err)
		defer response.Body.Close()
		text := make([]byte, 2)
		_, err = response.Body.Read(text)
		c.must(err)
		c.equal("text", string(text), "{}")
	}},
}

var agents = []behaviour{
	{"status-leader-is-an-address", "§7", func(c *check) {
		leader, err := c.api.Status().Leader()
		c.must(err)
		c.equal("leader", leader, c.RPCAddr)
	}},
	{"status-peers", "§7", func(c *check) {
		peers, err := c.api.Status().Peers()
		c.must(err)
		c.equal("peers", peers, []string{c.RPCAddr})
	}},
	{"regions-are-listed", "§5", func(c *check) {
		regions, err := c.api.Regions().List()
		c.must(err)
		c.equal("regions", regions, []string{nomad.Region})
	}},
	{"region-unknown-is-refused", "§10.26", func(c *check) {
		_, _, err := c.api.Nodes().List(&api.QueryOptions{Region: "mars"})
		c.refused(err, http.StatusInternalServerError, "No path to region")
	}},
	{"agent-self-tells-region-and-version", "§5", func(c *check) {
		self, err := c.api.Agent().Self()
		c.must(err)
		c.holds(
			"member and config",
			self.Member.Tags["region"] == nomad.Region && self.Member.Tags["build"] != "" &&
				self.Config["Region"] == nomad.Region,
			self.Member,
		)
	}},
	{"agent-members", "§7", func(c *check) {
		members, err := c.api.Agent().Members()
		c.must(err)
		c.holds("one alive", len(members.Members) == 1 && members.Members[0].Status == "alive", members)
	}},
	{"agent-health", "§7", func(c *check) {
		health, err := c.api.Agent().Health()
		c.must(err)
		c.holds("well", health.Server != nil && health.Server.Ok, health)
	}},
	{"unknown-path-404", "Versions", func(c *check) {
		c.equal("status", c.http(http.MethodGet, "/v1/nonsense", nil).status, http.StatusNotFound)
	}},
	{"wrong-method-405", "§1", func(c *check) {
		c.equal("status", c.http(http.MethodDelete, "/v1/nodes", nil).status, http.StatusMethodNotAllowed)
	}},
	{"malformed-body-400", "§1", func(c *check) {
		c.equal("status", c.http(http.MethodPut, "/v1/node/"+c.node().ID()+"/drain", "{").status, http.StatusBadRequest)
	}},
	{"metrics-tell-blocked-evaluations", "§10.20", func(c *check) {
		c.pool()
		c.run(c.job("service", 1))
		c.awaitMetrics(`nomad_nomad_blocked_evals_total_blocked{.*} \d`)
	}},
	// What config/autoscaler/from-zero.hcl goes by.
	{"metrics-tell-of-each-job-and-of-all", "seen of 1.11.3", func(c *check) {
		c.pool()
		job := c.run(c.job("batch", 3))
		of := `{.*job="` + job + `",namespace="default",task_group="group"} `
		c.awaitMetrics(`nomad_nomad_job_summary_queued`+of+`3`, `nomad_nomad_job_summary_starting`+of+`0`,
			`nomad_nomad_job_summary_running`+of+`0`, `nomad_nomad_job_status_running{.*} \d`)
		c.node()
		c.awaitMetrics(`nomad_nomad_job_summary_queued`+of+`0`, `nomad_nomad_job_summary_running`+of+`3`)
	}},
	{"keys-for-identities-are-public", "§4", func(c *check) {
		got := c.http(http.MethodGet, "/.well-known/jwks.json", nil)
		c.holds("keys", got.status == http.StatusOK && strings.Contains(got.body, `"keys"`), got.body)
	}},
	{"evaluations-of-a-missing-one-404", "§1 Errors", func(c *check) {
		_, _, err := c.api.Evaluations().Info("00000000-0000-0000-0000-000000000000", nil)
		c.refused(err, http.StatusNotFound, "eval not found")
	}},
	{"raft-configuration", "§7", func(c *check) {
		raft, err := c.api.Operator().RaftGetConfiguration(nil)
		c.must(err)
		c.holds("one that leads", len(raft.Servers) == 1 && raft.Servers[0].Leader && raft.Servers[0].Voter, raft)
	}},
	{"acl-off-has-no-bootstrap", "§4", func(c *check) {
		_, _, err := c.api.ACLTokens().Bootstrap(nil)
		c.holds("it's off", err != nil && strings.Contains(err.Error(), "ACL support disabled"), err)
	}},
}

var pools = []behaviour{
	{"pool-comes-with-its-first-node", "§5", func(c *check) {
		c.node()
		p, _, err := c.api.NodePools().Info(c.id, nil)
		c.must(err)
		c.equal("name", p.Name, c.id)
	}},
	{"pool-missing-has-no-nodes", "§5", func(c *check) {
		nodes, _, err := c.api.NodePools().ListNodes(c.id, nil)
		c.must(err)
		c.equal("nodes", len(nodes), 0)
	}},
	{"pool-missing-404", "§5", func(c *check) {
		_, _, err := c.api.NodePools().Info(c.id, nil)
		c.refused(err, http.StatusNotFound, "node pool not found")
	}},
	{"pool-with-nodes-is-not-deleted", "§5", func(c *check) {
		c.node()
		_, err := c.api.NodePools().Delete(c.id, nil)
		c.holds("it's refused", err != nil && strings.Contains(err.Error(), "has nodes"), err)
	}},
	{"pool-registered-listed-and-deleted", "§5", func(c *check) {
		_, err := c.api.NodePools().
			Register(&api.NodePool{Name: c.id, Description: "d", Meta: map[string]string{"a": "b"}}, nil)
		c.must(err)
		p, _, err := c.api.NodePools().Info(c.id, nil)
		c.must(err)
		c.holds("as written", p.Description == "d" && p.Meta["a"] == "b", p)
		_, err = c.api.NodePools().Delete(c.id, nil)
		c.must(err)
	}},
	{"pool-name-is-checked", "§5", func(c *check) {
		_, err := c.api.NodePools().Register(&api.NodePool{Name: "not a pool"}, nil)
		c.holds("it's refused", err != nil && strings.Contains(err.Error(), "invalid name"), err)
	}},
	{"pools-all-and-default-are-there", "§5", func(c *check) {
		list, _, err := c.api.NodePools().List(nil)
		c.must(err)
		found := map[string]bool{}
		for _, p := range list {
			found[p.Name] = true
		}
		c.holds("both", found["all"] && found["default"], found)
	}},
	{"namespace-written-listed-deleted", "§4", func(c *check) {
		_, err := c.api.Namespaces().Register(&api.Namespace{Name: c.id}, nil)
		c.must(err)
		_, _, err = c.api.Namespaces().Info(c.id, nil)
		c.must(err)
		_, err = c.api.Namespaces().Delete(c.id, nil)
		c.must(err)
		_, _, err = c.api.Namespaces().Info(c.id, nil)
		c.refused(err, http.StatusNotFound, "")
	}},
	{"namespace-of-a-job", "§4", func(c *check) {
		_, err := c.api.Namespaces().Register(&api.Namespace{Name: c.id}, nil)
		c.must(err)
		n := c.node()
		j := c.job("service", 1, func(j *api.Job) { j.Namespace = new(c.id) })
		_, _, err = c.api.Jobs().Register(j, &api.WriteOptions{Namespace: c.id})
		c.must(err)
		filter := `NodeID == "` + n.ID() + `"`
		c.await("the allocation", func() error {
			if len(c.filtered(filter, nil)) != 1 {
				return fmt.Errorf("none yet")
			}
			return nil
		})
		inDefault, _, err := c.api.Allocations().List(&api.QueryOptions{Filter: filter})
		c.must(err)
		c.equal("in the default namespace", len(inDefault), 0)
		_, _, err = c.api.Jobs().Deregister(*j.ID, false, &api.WriteOptions{Namespace: c.id})
		c.must(err)
	}},
}

// awaitMetrics waits for lines in the metrics for Prometheus, each a regular expression.
func (c *check) awaitMetrics(lines ...string) {
	c.await("the metrics", func() error {
		text, err := c.api.Operator().Metrics(&api.QueryOptions{Params: map[string]string{"format": "prometheus"}})
		for _, line := range lines {
			if err == nil && !regexp.MustCompile("(?m)^"+line).Match(text) {
				err = fmt.Errorf("no %s in %d bytes", line, len(text))
			}
		}
		return err
	})
}

// restarts are checked one by one: each restarts the server under the others.
var restarts = []behaviour{
	{"restart-keeps-nodes-drains-and-eligibility", "§7 Fault tools", func(c *check) {
		n := c.node()
		job := c.run(c.job("batch", 1))
		c.awaitRunning(job, 1)
		c.drainWith(n.ID(),
			&api.DrainOptions{DrainSpec: &api.DrainSpec{Deadline: time.Hour}, Meta: map[string]string{"owner": "us"}})
		before := c.info(n.ID())
		_, list, err := c.api.Nodes().List(nil)
		c.must(err)
		c.must(c.Process().Kill())
		c.must(c.Restart(c.ctx))
		c.awaitNode(n.ID(), "again", func(n *api.Node) bool { return n.CreateIndex == before.CreateIndex })
		after := c.info(n.ID())
		c.holds(
			"the drain goes on",
			after.DrainStrategy != nil && after.DrainStrategy.ForceDeadline.Equal(before.DrainStrategy.ForceDeadline) &&
				after.LastDrain.Meta["owner"] == "us",
			after.LastDrain,
		)
		_, again, err := c.api.Nodes().List(nil)
		c.must(err)
		c.holds("the index doesn't go back", again.LastIndex >= list.LastIndex, list.LastIndex, again.LastIndex)
		c.awaitRunning(job, 1)
		c.awaitStatus(n.ID(), "ready")
	}},
}

var leaderChanges = []behaviour{
	{"leader-change-keeps-address-and-data", "§10.28", func(c *check) {
		n := c.node()
		before, err := c.api.Status().Leader()
		c.must(err)
		c.must(c.LoseLeadership(c.ctx))
		after, err := c.api.Status().Leader()
		c.must(err)
		c.holds("another leads", after != before && after != "", before, after)
		c.eligible(n.ID(), false) // forwarded
		c.equal("eligibility", c.info(n.ID()).SchedulingEligibility, "ineligible")
		c.awaitStatus(n.ID(), "ready")
		c.awaitRunning(c.runAfter(n), 1)
	}},
}

// runAfter runs a job on a node that was ineligible.
func (c *check) runAfter(n *simclient.Client) string {
	c.eligible(n.ID(), true)
	return c.run(c.job("service", 1))
}
