package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"
)

const (
	// serverNodes, serverAllocations and serverDrains are the cluster whose server is measured, and how many nodes drain.
	serverNodes       = 100
	serverAllocations = 20_000
	serverDrains      = 5
	// serverTime is for how long the server is measured at a time.
	serverTime = 30 * time.Second
)

// measureServer measures what the Nomad server has to do because some nodes drain and the controller waits for them, by
// turns with nothing draining.
func (l *large) measureServer(ctx context.Context) error {
	if err := l.fill(ctx, serverNodes); err != nil {
		return err
	}
	if err := l.occupyAll(ctx); err != nil {
		return err
	}
	if err := l.controller.Restart(ctx); err != nil {
		return err
	}
	if _, err := awaitRest(ctx, l.controller, serverNodes); err != nil {
		return err
	}
	r := row{ID: "P5b", Unit: "% of a core", Target: "<= 5", Limit: 5, NeedsNomad: true,
		What: fmt.Sprintf("CPU of the Nomad server with %d allocations: %d of %d nodes drain, beyond none", serverAllocations,
			serverDrains, serverNodes)}
	p := l.pools[0]
	for run := range l.runs {
		idle, idleErr := l.serverLoad(ctx)
		if err := l.drainMembers(ctx, p, p.names(serverDrains)); err != nil {
			return err
		}
		sleep(ctx, 2*restTime)
		draining, drainErr := l.serverLoad(ctx)
		if err := errors.Join(idleErr, drainErr, l.recall(ctx, p)); err != nil {
			return err
		}
		l.log("run %d of %d, CPU of the Nomad server: %.2f %% of a core, with %d nodes that drain %.2f %%", run+1, l.runs,
			idle, serverDrains, draining)
		r.Controller = append(r.Controller, draining-idle)
	}
	l.report.Rows = append(l.report.Rows, r)
	return l.controller.Stop()
}

// serverLoad is how much of a core the Nomad server takes, in percent.
func (l *large) serverLoad(ctx context.Context) (float64, error) {
	sleep(ctx, restTime)
	pid, start := l.env.NomadServer.Process().Pid(), time.Now()
	before, err := usageOf(pid)
	if err != nil {
		return 0, err
	}
	sleep(ctx, serverTime)
	after, err := usageOf(pid)
	return 100 * (after.cpu - before.cpu) / time.Since(start).Seconds(), err
}

// occupyAll runs as many allocations as the server is to have, on all nodes, which a drain lets run to their ends.
func (l *large) occupyAll(ctx context.Context) error {
	each := serverAllocations / serverNodes
	task := api.NewTask("work", "raw_exec").SetConfig("command", "sleep").SetConfig("args", []string{"86400"}).
		Require(&api.Resources{CPU: new(clientMHz / (each + 1)), MemoryMB: new(16)})
	job := api.NewBatchJob("filler", "filler", "global", 50).AddDatacenter("dc1").
		AddTaskGroup(api.NewTaskGroup("work", serverAllocations).AddTask(task))
	job.NodePool = new(largeNodePool)
	if _, _, err := l.env.Nomad.Jobs().Register(job, nil); err != nil {
		return err
	}
	return l.await(ctx, "the allocations to run", func(context.Context) error {
		s, _, err := l.env.Nomad.Jobs().Summary("filler", nil)
		if err == nil && s.Summary["work"].Running != serverAllocations {
			err = fmt.Errorf("%d run", s.Summary["work"].Running)
		}
		return err
	})
}
