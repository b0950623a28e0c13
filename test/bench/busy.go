package main

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

const (
	// atATime is how many busy members leave at the same time.
	atATime = 30
	// drainDeadline is what Nomad stops allocations after that have not moved.
	drainDeadline = 2 * time.Minute
	// spares are the nodes that the work of those that leave can move to.
	spares = 20
	// memberMHz is what a simulated guest with one CPU tells Nomad that it has.
	memberMHz = 1000
	// jobAllocations are those of each service that runs there: Nomad moves one of a service at a time.
	jobAllocations = 5
)

// busyRows lets all members leave while services run on them, and beside it the same done by what the autoscaler's SDK
// gives to plugins.
func (b *bench) busyRows(ctx context.Context) error {
	if !b.wants("P3", "P3busy") {
		return nil
	}
	if b.report.StandIn { // it counts as nothing, nor does P5b, which comes after this and is measured once then, too
		b.runs, b.running = 1, min(b.running, atATime)
	}
	r := row{ID: "P3", What: fmt.Sprintf("%d -> 0 busy members, %d at a time: all VMs are gone", b.running, atATime),
		Unit: "s", With: "scaleutils of the autoscaler's SDK", Target: "<= 1 x", Limit: 1, NeedsNomad: true}
	for run := range b.runs {
		name := fmt.Sprintf("busy-%d", run)
		took, copied, err := b.ourBusy(ctx, name)
		if err != nil {
			return fmt.Errorf("busy members: %w", err)
		}
		b.log("run %d of %d, %d busy members have left after %.1f s", run+1, b.runs, b.running, took)
		if err := b.controller.Stop(); err != nil {
			return err
		}
		theirs, err := b.peersBusy(ctx, copied)
		if err != nil {
			return fmt.Errorf("busy nodes, scaleutils: %w", err)
		}
		b.log("run %d of %d, %d busy nodes have left by scaleutils after %.1f s", run+1, b.runs, b.running, theirs)
		if err := b.controller.Restart(ctx); err != nil {
			return err
		}
		r.Controller, r.Peer = append(r.Controller, took), append(r.Peer, theirs)
	}
	b.report.Rows = append(b.report.Rows, r)
	return nil
}

// ourBusy returns how long it took until all VMs of a busy pool were gone, and what one of its members was made of.
func (b *bench) ourBusy(ctx context.Context, name string) (float64, copied, error) {
	pool, err := b.runningPool(ctx, name, func(s *v1alpha1.NomadNodePoolSpec) {
		s.ScaleIn.MaxConcurrent = ptr.To[int32](atATime)
		s.ScaleIn.Drain.Deadline = metav1.Duration{Duration: drainDeadline}
		s.Nomad.IntroductionToken = v1alpha1.IntroductionNever // a token is for one member, and its copies are to join
	})
	if err != nil {
		return 0, copied{}, err
	}
	copied, err := b.copyOne(ctx, name)
	if err != nil {
		return 0, copied, err
	}
	end, err := b.services(ctx, name)
	if err != nil {
		return 0, copied, err
	}
	defer end()
	vms, err := watchClock(ctx, b.client, vmKind, ofPool(name)...)
	if err != nil {
		return 0, copied, err
	}
	defer vms.cancel()
	start := time.Now()
	if err := b.scale(ctx, pool, 0); err != nil {
		return 0, copied, err
	}
	took, err := seconds(vms.await(ctx, start, 0, ""))
	if err != nil {
		return 0, copied, err
	}
	if err := b.awaitReady(ctx, name, 0); err != nil {
		return 0, copied, err
	}
	return took, copied, b.removePool(ctx, pool)
}

// services runs services with as many allocations as there are members, one on each, and then adds nodes that these can
// move to. It returns what ends both.
func (b *bench) services(ctx context.Context, nodePool string) (end func(), err error) {
	var jobs []string
	var clients []*simclient.Client
	end = func() {
		for _, name := range jobs {
			_, _, _ = b.env.Nomad.Jobs().Deregister(name, false, nil) // what is left of it is in nobody's way
		}
		for _, c := range clients {
			_ = c.Stop() // it can't fail
		}
	}
	for i := range b.running / jobAllocations {
		name := fmt.Sprintf("%s-%d", nodePool, i)
		jobs = append(jobs, name)
		if err := b.service(name, nodePool); err != nil {
			return end, err
		}
	}
	for _, name := range jobs {
		if err := b.awaitService(ctx, name); err != nil {
			return end, err
		}
	}
	for i := range spares {
		c, err := simclient.Start(simclient.Options{Servers: []string{b.env.NomadServer.RPCAddr}, ID: uuid.NewString(),
			Name: fmt.Sprintf("spare-%d", i), NodePool: nodePool, CPUMHz: 100_000, MemoryMiB: 100_000})
		if err != nil {
			return end, err
		}
		clients = append(clients, c)
	}
	return end, b.awaitNodes(ctx, nodePool, b.running+spares)
}

// service takes more than half of a member for each of its allocations, so that each gets a member of its own.
func (b *bench) service(name, nodePool string) error {
	task := api.NewTask("work", "raw_exec").SetConfig("command", "sleep").SetConfig("args", []string{"86400"}).
		Require(&api.Resources{CPU: new(memberMHz * 2 / 3), MemoryMB: new(16)})
	group := api.NewTaskGroup("work", jobAllocations).AddTask(task)
	job := api.NewServiceJob(name, name, "global", 50).AddDatacenter("dc1").AddTaskGroup(group)
	job.NodePool = new(nodePool)
	_, _, err := b.env.Nomad.Jobs().Register(job, nil)
	return err
}

func (b *bench) awaitService(ctx context.Context, name string) error {
	return b.await(ctx, "service "+name+" to run", func(context.Context) error {
		all, _, err := b.env.Nomad.Jobs().Allocations(name, false, nil)
		running := 0
		for _, a := range all {
			if a.ClientStatus == "running" {
				running++
			}
		}
		if err == nil && running != jobAllocations {
			err = fmt.Errorf("%d allocations run", running)
		}
		return err
	})
}

func (b *bench) awaitNodes(ctx context.Context, nodePool string, n int) error {
	return b.await(ctx, fmt.Sprintf("%d ready nodes in node pool %s", n, nodePool), func(context.Context) error {
		nodes, err := b.nodesIn(nodePool)
		if err == nil && len(nodes) != n {
			err = fmt.Errorf("%d are ready", len(nodes))
		}
		return err
	})
}

// nodesIn are the nodes of a node pool that take work.
func (b *bench) nodesIn(nodePool string) ([]*api.NodeListStub, error) {
	nodes, _, err := b.env.Nomad.Nodes().List(nil)
	var out []*api.NodeListStub
	for _, n := range nodes {
		if n.NodePool == nodePool && n.Status == api.NodeStatusReady && !n.Drain &&
			n.SchedulingEligibility == api.NodeSchedulingEligible {
			out = append(out, n)
		}
	}
	return out, err
}

// peersBusy makes as many VMs as the controller had made, of copies of a member, and has scaleutils drain them.
func (b *bench) peersBusy(ctx context.Context, c copied) (float64, error) {
	if err := kube.InParallel(b.running, bareWriters, func(i int) error {
		return b.makeBare(ctx, c, c.bare(i))
	}); err != nil {
		return 0, err
	}
	if err := b.awaitNodes(ctx, bareName, b.running); err != nil {
		return 0, err
	}
	end, err := b.services(ctx, bareName)
	if err != nil {
		return 0, err
	}
	defer end()
	vms, err := watchClock(ctx, b.client, vmKind, ofPool(bareName)...)
	if err != nil {
		return 0, err
	}
	defer vms.cancel()
	start := time.Now()
	for left := b.running; left > 0; {
		gone, err := b.peerBatch(ctx, c, min(left, atATime), func(gone int) error {
			_, err := vms.await(ctx, start, left-gone, "")
			return err
		})
		if err != nil {
			return 0, err
		}
		left -= gone
	}
	return time.Since(start).Seconds(), nil
}
