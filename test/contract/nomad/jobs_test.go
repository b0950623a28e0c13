package nomad_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

func (c *check) filtered(filter string, params map[string]string) []*api.AllocationListStub {
	list, _, err := c.api.Allocations().List(&api.QueryOptions{Namespace: "*", Filter: filter, Params: params})
	c.must(err)
	return list
}

var allocationLists = []behaviour{
	{"allocs-of-two-nodes-alive", "§1 Cheapest tracking (b)", func(c *check) {
		first, second := c.node(), c.node(simclient.Options{Name: c.id + "-2"})
		job := c.run(c.job("system", 1))
		c.awaitRunning(job, 2)
		filter := fmt.Sprintf(
			`(NodeID == %q or NodeID == %q) and (ClientStatus == "running" or ClientStatus == "pending" or ClientStatus == "unknown")`,
			first.ID(),
			second.ID(),
		)
		list := c.filtered(filter, map[string]string{"task_states": "false"})
		c.equal("allocations", len(list), 2)
		c.holds("type and no states", list[0].JobType == "system" && len(list[0].TaskStates) == 0, *list[0])
	}},
	{"allocs-have-node-job-group", "§1", func(c *check) {
		n := c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		a := c.filtered(`NodeID == "`+n.ID()+`"`, nil)[0]
		c.holds(
			"all are there",
			a.JobID == job && a.TaskGroup == "group" && a.NodeName == c.id && a.Namespace == "default" &&
				a.Name == job+".group[0]",
			*a,
		)
	}},
	{"allocs-resources-when-asked", "§1", func(c *check) {
		n := c.node()
		c.awaitRunning(c.run(c.job("service", 1)), 1)
		filter := `NodeID == "` + n.ID() + `"`
		c.holds("none by default", c.filtered(filter, nil)[0].AllocatedResources == nil)
		got := c.filtered(filter, map[string]string{"resources": "true"})[0].AllocatedResources
		c.holds("those of the task",
			got != nil && got.Tasks["task"].Cpu.CpuShares == 20 && got.Tasks["task"].Memory.MemoryMB == 16, got)
	}},
	{"allocs-task-states", "§1", func(c *check) {
		a := c.agent()
		c.awaitRunning(c.run(c.job("service", 1)), 1)
		filter := `NodeID == "` + a.id() + `"`
		state := c.filtered(filter, nil)[0].TaskStates["task"]
		c.holds("the task runs", state != nil && state.State == "running", state)
		c.equal("without", len(c.filtered(filter, map[string]string{"task_states": "false"})[0].TaskStates), 0)
	}},
	{"allocs-unknown-filter-field-fails", "§1 Filter", func(c *check) {
		c.node()
		c.awaitRunning(c.run(c.job("service", 1)), 1)
		_, _, err := c.api.Allocations().List(&api.QueryOptions{Filter: `Nothing == "x"`})
		c.refused(err, http.StatusBadRequest, unmatched)
	}},
	{"allocs-of-a-node-have-their-job", "§1", func(c *check) {
		n := c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		got, _, err := c.api.Nodes().Allocations(n.ID(), nil)
		c.must(err)
		c.holds("one with its job",
			len(got) == 1 && got[0].Job != nil && *got[0].Job.ID == job && *got[0].Job.Type == "service")
	}},
	{"allocs-read-missing-404", "§1 Errors", func(c *check) {
		_, _, err := c.api.Allocations().Info(uuid.NewString(), nil)
		c.refused(err, http.StatusNotFound, "alloc not found")
	}},
	{"allocs-stop-replaces", "§2", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1))
		first := c.awaitRunning(job, 1)[0]
		_, err := c.api.Allocations().Stop(&api.Allocation{ID: first.ID}, nil)
		c.must(err)
		c.awaitAllocations(job, "anew", 1,
			func(a *api.AllocationListStub) bool { return a.ID != first.ID && a.ClientStatus == "running" })
	}},
	{"allocs-list-blocks", "§1 Blocking", func(c *check) {
		c.node()
		c.awaitRunning(c.run(c.job("service", 1)), 1) // a list that never had any has the index 0, and isn't waited for
		_, meta, err := c.api.Allocations().List(nil)
		c.must(err)
		c.run(c.job("service", 1))
		_, next, err := c.api.Allocations().List(&api.QueryOptions{WaitIndex: meta.LastIndex, WaitTime: 20 * time.Second})
		c.must(err)
		c.holds("the index grew", next.LastIndex > meta.LastIndex, meta.LastIndex, next.LastIndex)
	}},
}

var jobs = []behaviour{
	{"job-service-runs-as-many", "§2", func(c *check) {
		c.node()
		job := c.run(c.job("service", 3))
		names := map[string]bool{}
		for _, a := range c.awaitRunning(job, 3) {
			names[strings.TrimPrefix(a.Name, job+".group")] = true
		}
		c.equal("indexes", names, map[string]bool{"[0]": true, "[1]": true, "[2]": true})
	}},
	{"job-system-runs-on-each", "§2", func(c *check) {
		c.node()
		job := c.run(c.job("system", 1))
		c.awaitRunning(job, 1)
		c.node(simclient.Options{Name: c.id + "-2"})
		c.awaitRunning(job, 2)
	}},
	{"job-sysbatch-runs-on-each-once", "§2", func(c *check) {
		c.agent()
		job := c.run(c.jobOf("sysbatch", 1, "true"))
		c.awaitClient(job, "complete", 1)
		c.stays("the one", time.Second, func() error {
			if n := len(c.allocations(job)); n != 1 {
				return fmt.Errorf("there are %d", n)
			}
			return nil
		})
	}},
	{"job-batch-ends-dead", "§2", func(c *check) {
		c.agent()
		job := c.run(c.jobOf("batch", 2, "true"))
		c.awaitClient(job, "complete", 2)
		c.awaitJob(job, "dead")
	}},
	{"job-count-grows-and-shrinks", "§2", func(c *check) {
		c.node()
		j := c.job("service", 1)
		job := c.run(j)
		c.awaitRunning(job, 1)
		for _, n := range []int{3, 1} {
			j.TaskGroups[0].Count = new(n)
			_, _, err := c.api.Jobs().Register(j, nil)
			c.must(err)
			c.awaitRunning(job, n)
		}
	}},
	{"job-scaled-by-the-api", "§8", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		// The job's first deployment has to be over, where there are any.
		c.await("it to be scaled", func() error {
			_, _, err := c.api.Jobs().Scale(job, "group", new(2), "more", false, nil, nil)
			if err != nil && !strings.Contains(err.Error(), "job scaling blocked due to active deployment") {
				c.fatalf("%w", err)
			}
			return err
		})
		c.awaitRunning(job, 2)
		status, _, err := c.api.Jobs().ScaleStatus(job, nil)
		c.must(err)
		c.equal("desired", status.TaskGroups["group"].Desired, 2)
	}},
	{"job-scaling-block-is-a-policy", "Nomad Autoscaler: policy/nomad/source.go", func(c *check) {
		c.pool()
		j := c.job("service", 0, func(j *api.Job) {
			check := []any{map[string]any{"strategy": []any{map[string]any{"fixed-value": []any{map[string]any{"value": "2"}}}}}}
			j.TaskGroups[0].Scaling = &api.ScalingPolicy{Min: new(int64(0)), Max: new(int64(9)), Enabled: new(true),
				Type: api.ScalingPolicyTypeHorizontal, Policy: map[string]any{"check": []any{map[string]any{"fixed": check}}}}
		})
		policies := func() []*api.ScalingPolicyListStub {
			list, _, err := c.api.Scaling().ListPolicies(&api.QueryOptions{Params: map[string]string{"job": *j.ID}})
			c.must(err)
			return list
		}
		c.equal("before", len(policies()), 0)
		c.run(j)
		list := policies()
		c.equal("policies", len(list), 1)
		c.holds("whose they are", list[0].Enabled && reflect.DeepEqual(list[0].Target,
			map[string]string{"Namespace": "default", "Job": *j.ID, "Group": "group"}), *list[0])
		p, _, err := c.api.Scaling().GetPolicy(list[0].ID, nil)
		c.must(err)
		c.holds("as it was sent", *p.Min == 0 && *p.Max == 9 && reflect.DeepEqual(p.Policy,
			j.TaskGroups[0].Scaling.Policy), p)
		_, _, err = c.api.Jobs().Deregister(*j.ID, false, nil)
		c.must(err)
		c.await("its end", func() error {
			if n := len(policies()); n > 0 {
				return fmt.Errorf("there are %d", n)
			}
			return nil
		})
	}},
	{"job-deregistered-stops", "§2", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		_, _, err := c.api.Jobs().Deregister(job, false, nil)
		c.must(err)
		c.awaitClient(job, "complete", 1)
		c.awaitJob(job, "dead")
		j, _, err := c.api.Jobs().Info(job, nil)
		c.must(err)
		c.equal("stop", *j.Stop, true)
	}},
	{"job-purged-is-gone", "§2", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1))
		c.awaitRunning(job, 1)
		c.awaitDeployed(job)
		_, _, err := c.api.Jobs().Deregister(job, true, nil)
		c.must(err)
		_, _, err = c.api.Jobs().Info(job, nil)
		c.refused(err, http.StatusNotFound, "job not found")
	}},
	{"job-missing-404", "§1 Errors", func(c *check) {
		_, _, err := c.api.Jobs().Info(c.id, nil)
		c.refused(err, http.StatusNotFound, "job not found")
	}},
	{"job-changed-has-another-version", "§2", func(c *check) {
		c.node()
		j := c.job("service", 1)
		job := c.run(j)
		first := c.awaitRunning(job, 1)[0]
		j.TaskGroups[0].Tasks[0].Env = map[string]string{"NEW": "1"}
		_, _, err := c.api.Jobs().Register(j, nil)
		c.must(err)
		c.awaitAllocations(job, "of the new version", 1, func(a *api.AllocationListStub) bool {
			return a.ID != first.ID && a.JobVersion == 1 && a.ClientStatus == "running"
		})
	}},
	{"job-same-again-changes-nothing", "§2", func(c *check) {
		c.node()
		j := c.job("service", 1)
		job := c.run(j)
		first := c.awaitRunning(job, 1)[0]
		_, _, err := c.api.Jobs().Register(j, nil)
		c.must(err)
		time.Sleep(time.Second)
		got := c.allocations(job)
		c.holds("the same allocation", len(got) == 1 && got[0].ID == first.ID, len(got))
	}},
	{"job-without-room-is-blocked", "§10.20", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1, func(j *api.Job) { j.TaskGroups[0].Tasks[0].Resources.MemoryMB = new(1 << 20) }))
		c.awaitBlocked(job)
	}},
	{"job-blocked-tells-what-is-exhausted", "§10.20", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1, func(j *api.Job) { j.TaskGroups[0].Tasks[0].Resources.MemoryMB = new(1 << 20) }))
		c.awaitBlocked(job)
		c.await("the reason", func() error {
			evals, _, err := c.api.Jobs().Evaluations(job, nil)
			c.must(err)
			for _, e := range evals {
				if m := e.FailedTGAllocs["group"]; m != nil && m.NodesExhausted == 1 && m.DimensionExhausted["memory"] == 1 {
					return nil
				}
			}
			return fmt.Errorf("none says so")
		})
	}},
	{"job-in-a-missing-pool-is-refused", "seen of 1.11.3", func(c *check) {
		_, _, err := c.api.Jobs().Register(c.job("service", 1), nil)
		c.refused(err, http.StatusInternalServerError, "is in nonexistent node pool")
	}},
	{"job-blocked-runs-when-a-node-comes", "§10.20", func(c *check) {
		c.pool()
		job := c.run(c.job("service", 1))
		c.awaitBlocked(job)
		c.node()
		c.awaitRunning(job, 1)
	}},
	{"job-summary-counts-queued-and-running", "§10.20", func(c *check) {
		c.pool()
		job := c.run(c.job("service", 2))
		c.awaitSummary(job, func(s api.TaskGroupSummary) bool { return s.Queued == 2 && s.Running == 0 })
		c.node()
		c.awaitSummary(job, func(s api.TaskGroupSummary) bool { return s.Queued == 0 && s.Running == 2 })
	}},
	{"job-invalid-is-refused", "§1 Errors", func(c *check) {
		j := c.job("service", 1)
		j.TaskGroups = nil
		_, _, err := c.api.Jobs().Register(j, nil)
		c.holds("an error", err != nil && strings.Contains(err.Error(), "Missing job task groups"), err)
	}},
	{"job-logs-have-to-fit-into-its-disk", "seen of 1.11.3", func(c *check) {
		c.pool()
		_, _, err := c.api.Jobs().
			Register(c.job("service", 1, func(j *api.Job) { j.TaskGroups[0].Tasks[0].LogConfig = nil }), nil)
		c.refused(err, http.StatusInternalServerError,
			"log storage (100 MB) must be less than requested disk capacity (10 MB)")
	}},
	{"job-listed-with-its-summary", "§2", func(c *check) {
		c.pool()
		job := c.run(c.job("service", 1))
		list, _, err := c.api.Jobs().List(&api.QueryOptions{Prefix: job})
		c.must(err)
		c.holds("one with pending or running", len(list) == 1 && list[0].Type == "service" && list[0].JobSummary != nil, list)
	}},
}

func (c *check) awaitJob(job, status string) {
	c.await("job "+status, func() error {
		j, _, err := c.api.Jobs().Info(job, nil)
		if err == nil && *j.Status != status {
			err = fmt.Errorf("it is %s", *j.Status)
		}
		return err
	})
}

func (c *check) awaitBlocked(job string) {
	c.await("a blocked evaluation", func() error {
		evals, _, err := c.api.Jobs().Evaluations(job, nil)
		for _, e := range evals {
			if e.Status == "blocked" {
				return nil
			}
		}
		return fmt.Errorf("there are %d, none blocked, %w", len(evals), err)
	})
}

func (c *check) awaitSummary(job string, ok func(api.TaskGroupSummary) bool) {
	c.await("the summary", func() error {
		s, _, err := c.api.Jobs().Summary(job, nil)
		if err == nil && !ok(s.Summary["group"]) {
			err = fmt.Errorf("it is %+v", s.Summary)
		}
		return err
	})
}

// chosen wants a job with the constraint on the node -one alone.
func chosen(left, operator, right string) func(*check) {
	return func(c *check) {
		one := c.node(simclient.Options{Name: c.id + "-one", NodeClass: "first", Meta: map[string]string{"disk": "fast"}})
		c.node(simclient.Options{Name: c.id + "-two", NodeClass: "second"})
		job := c.run(c.job("service", 4, func(j *api.Job) { j.Constrain(api.NewConstraint(left, operator, right)) }))
		for _, a := range c.awaitRunning(job, 4) {
			c.equal("node", a.NodeID, one.ID())
		}
	}
}

var placements = []behaviour{
	{"place-by-meta", "§3", chosen("${meta.disk}", "=", "fast")},
	{"place-by-class", "§5", chosen("${node.class}", "=", "first")},
	{"place-by-attribute-pattern", "§3", chosen("${attr.unique.hostname}", "regexp", "-one$")},
	{"place-by-inequality", "§5", chosen("${node.class}", "!=", "second")},
	{"place-on-distinct-hosts", "§2", func(c *check) {
		c.node()
		c.node(simclient.Options{Name: c.id + "-2"})
		job := c.run(c.job("service", 3, func(j *api.Job) { j.Constrain(api.NewConstraint("", "distinct_hosts", "true")) }))
		got := c.awaitRunning(job, 2)
		c.holds("two nodes", got[0].NodeID != got[1].NodeID)
		c.awaitBlocked(job)
	}},
	{"place-spread-over-nodes", "§2", func(c *check) {
		c.node()
		c.node(simclient.Options{Name: c.id + "-2"})
		job := c.run(
			c.job("service", 4, func(j *api.Job) { j.Spreads = []*api.Spread{api.NewSpread("${node.unique.id}", 100, nil)} }))
		on := map[string]int{}
		for _, a := range c.awaitRunning(job, 4) {
			on[a.NodeID]++
		}
		c.equal("nodes", len(on), 2)
		for _, n := range on {
			c.equal("on each", n, 2)
		}
	}},
	{"place-in-the-datacenter", "§5", func(c *check) {
		c.node(simclient.Options{Datacenter: "dc1"})
		two := c.node(simclient.Options{Name: c.id + "-2", Datacenter: "dc2"})
		job := c.run(c.job("service", 2, func(j *api.Job) { j.Datacenters = []string{"dc2"} }))
		for _, a := range c.awaitRunning(job, 2) {
			c.equal("node", a.NodeID, two.ID())
		}
	}},
	{"place-only-in-the-pool", "§5", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1, func(j *api.Job) { j.NodePool = new("default") }))
		time.Sleep(time.Second)
		for _, a := range c.allocations(job) {
			c.holds("elsewhere", a.NodeName != c.id)
		}
	}},
	{"place-not-on-a-node-without-the-driver", "§5", func(c *check) {
		c.node()
		job := c.run(c.job("service", 1, func(j *api.Job) {
			j.TaskGroups[0].Tasks[0].Driver = "docker"
			j.TaskGroups[0].Tasks[0].Config = map[string]any{"image": "none"}
		}))
		c.awaitBlocked(job)
	}},
	{"place-within-resources", "§5", func(c *check) {
		c.node(simclient.Options{CPUMHz: 1000})
		job := c.run(c.job("service", 3, func(j *api.Job) { j.TaskGroups[0].Tasks[0].Resources.CPU = new(400) }))
		c.awaitRunning(job, 2)
		c.awaitBlocked(job)
	}},
}
