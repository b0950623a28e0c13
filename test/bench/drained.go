package main

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// drained measures how soon a member's VM is deleted once its node's last allocation has ended, while all members
// drain: from the time that Nomad's server notes of the allocation to the request to the API server.
func (b *bench) drained(ctx context.Context) error {
	if !b.wants("P4") {
		return nil
	}
	const name = "drained"
	pool, err := b.runningPool(ctx, name)
	if err != nil {
		return err
	}
	allocs, err := b.occupy(ctx, name, b.running)
	if err != nil {
		return err
	}
	before := len(b.env.APIFaults.Writes())
	if err := b.scale(ctx, pool, 0); err != nil {
		return err
	}
	if err := b.await(ctx, "all nodes to drain", func(ctx context.Context) error {
		return b.allDraining(ctx, name)
	}); err != nil {
		return err
	}
	sleep(ctx, 5*time.Second)
	for _, a := range allocs {
		if _, err := b.env.Nomad.Allocations().Stop(&api.Allocation{ID: a.ID}, nil); err != nil {
			return err
		}
		sleep(ctx, b.endEvery)
	}
	if err := b.awaitReady(ctx, name, 0); err != nil {
		return err
	}
	delays, err := b.delays(allocs, before)
	if err != nil {
		return err
	}
	slices.Sort(delays)
	what := fmt.Sprintf("last allocation ended -> DELETE of its VM, %d nodes drain, one of them empty each %s", b.running,
		b.endEvery)
	b.report.Rows = append(b.report.Rows,
		row{ID: "P4", What: what + ", p50", Unit: "s", Controller: []float64{delays[len(delays)/2]}, Target: "<= 1 s",
			Limit: 1},
		row{ID: "P4", What: what + ", p99", Unit: "s", Controller: []float64{delays[(len(delays)*99+99)/100-1]},
			Target: "<= 2.5 s", Limit: 2.5})
	_, _, err = b.env.Nomad.Jobs().Deregister(name, false, nil)
	return err
}

// occupy runs an allocation on each node of a pool, which a drain lets run to its end.
func (b *bench) occupy(ctx context.Context, name string, n int) ([]*api.AllocationListStub, error) {
	return b.occupyWhere(ctx, name, name, n)
}

// occupyWhere runs allocations of a job on as many nodes of a node pool that fulfil the constraints.
func (b *bench) occupyWhere(ctx context.Context, name, nodePool string, n int,
	where ...*api.Constraint) ([]*api.AllocationListStub, error) {
	task := api.NewTask("work", "raw_exec").SetConfig("command", "sleep").SetConfig("args", []string{"86400"}).
		Require(&api.Resources{CPU: new(50), MemoryMB: new(16)})
	group := api.NewTaskGroup("work", n).AddTask(task).Constrain(api.NewConstraint("", "distinct_hosts", "true"))
	group.Constraints = append(group.Constraints, where...)
	job := api.NewBatchJob(name, name, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
	job.NodePool = new(nodePool)
	if _, _, err := b.env.Nomad.Jobs().Register(job, nil); err != nil {
		return nil, err
	}
	var running []*api.AllocationListStub
	return running, b.await(ctx, "the job to run on every node", func(context.Context) error {
		all, _, err := b.env.Nomad.Jobs().Allocations(name, false, nil)
		running = slices.DeleteFunc(all, func(a *api.AllocationListStub) bool { return a.ClientStatus != "running" })
		if err == nil && len(running) != n {
			err = fmt.Errorf("%d allocations run", len(running))
		}
		return err
	})
}

func (b *bench) allDraining(ctx context.Context, name string) error {
	var l v1alpha1.NomadNodeList
	if err := b.client.List(ctx, &l, ofPool(name)...); err != nil {
		return err
	}
	for _, n := range l.Items {
		if n.Status.CordonedDrain == "" {
			return fmt.Errorf("%s isn't cordoned", n.Name)
		}
	}
	return nil
}

// delays are the seconds from the end of each allocation to the DELETE of its node's VM.
func (b *bench) delays(allocs []*api.AllocationListStub, before int) ([]float64, error) {
	deleted := map[string]time.Time{}
	for _, w := range b.env.APIFaults.Writes()[before:] {
		if w.Method == http.MethodDelete && resourceOf(w.Path) == "virtualmachines" {
			deleted[w.Path[strings.LastIndex(w.Path, "/")+1:]] = w.Time
		}
	}
	var out []float64
	for _, a := range allocs {
		now, _, err := b.env.Nomad.Allocations().Info(a.ID, nil)
		if err != nil {
			return nil, err
		}
		at, ok := deleted[a.NodeName]
		if !ok {
			return nil, fmt.Errorf("the VM of %s was not deleted", a.NodeName)
		}
		out = append(out, at.Sub(time.Unix(0, now.ModifyTime)).Seconds())
	}
	return out, nil
}
