package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// measureStart starts a controller that has nothing to do, and lets it run.
func (l *large) measureStart(ctx context.Context, costs *sizeCosts) error {
	if err := l.controller.Stop(); err != nil {
		return err
	}
	name := fmt.Sprintf("start-%d", l.members)
	profiled := l.profileCPU(ctx, name)
	before := len(l.env.APIFaults.Writes())
	r, took, err := l.restart(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(profiled(), l.profileHeap(ctx, name)); err != nil {
		return err
	}
	writes, kinds := l.writes(before, 1)
	l.log("start with %d members: %.1f s, %.1f s of CPU, %.0f MiB, %.0f reconciles, writes: %v", l.members, took,
		r.use.cpu, r.use.peakRSS, r.reconciles, kinds)
	costs.times, costs.cpu = append(costs.times, took), append(costs.cpu, r.use.cpu)
	costs.rss, costs.writes = append(costs.rss, r.use.peakRSS), append(costs.writes, writes)
	return nil
}

// restart starts the controller, and returns when it had nothing left to do, and after how many seconds.
func (l *large) restart(ctx context.Context) (r rested, took float64, err error) {
	start := time.Now()
	if err := l.controller.Restart(ctx); err != nil {
		return rested{}, 0, err
	}
	r, err = awaitRest(ctx, l.controller, l.members+len(l.pools))
	return r, r.at.Sub(start).Seconds(), err
}

// startRows are those of the starts at one size.
func startRows(c sizeCosts) []row {
	if len(c.times) == 0 {
		return nil
	}
	start := fmt.Sprintf("start with %d members: ", c.members)
	return []row{
		{ID: "P7", What: start + "nothing left to do", Unit: "s", Controller: c.times, Target: "<= 20 s", Limit: 20},
		{ID: "P7", What: start + "CPU", Unit: "s", Controller: c.cpu, Target: "none", Limit: noLimit},
		{ID: "P7", What: start + "most memory", Unit: "MiB", Controller: c.rss, Target: "<= 200 MiB", Limit: 200},
		{ID: "P7", What: start + "writes", Unit: "writes", Controller: c.writes, Target: "0", Limit: 0},
	}
}
