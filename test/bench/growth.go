package main

import (
	"context"
	"fmt"
	"time"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

var (
	vmKind       = kubevirtv1.GroupVersion.WithKind("VirtualMachine")
	instanceKind = kubevirtv1.GroupVersion.WithKind("VirtualMachineInstance")
	memberKind   = v1alpha1.GroupVersion.WithKind("NomadNode")
)

// life is how long each part of a pool's life took, in seconds, and how many writes of the controller a member cost.
type life struct {
	objects, running, gone float64
	writesMade, writesGone float64
	byKind, byKindGone     map[string]int
	readyAfter, goneAfter  float64
}

// growth lets a pool grow and shrink, and beside it the same objects by a bare loop and the same VMs by KubeVirt's
// VirtualMachinePool, one after the other in each run.
func (b *bench) growth(ctx context.Context) error {
	if !b.wants("P1", "P2", "P3", "P12") {
		return nil
	}
	var controllers, bare, pool [2][]life
	defer func() { b.growthRows(controllers, bare, pool) }() // what was measured before an error is worth something too
	for size, n := range []int{b.running, b.many} {
		runs, running := b.runs, true
		if size == 1 {
			runs, running = b.manyRuns, b.manyRun
		}
		if n == 0 {
			continue
		}
		for run := range runs {
			one, loop, kubevirts, err := b.lives(ctx, fmt.Sprintf("bench-%d-%d", n, run), n, running)
			if err != nil {
				return err
			}
			b.log("run %d of %d, %d members: %+v; bare loop: %+v; VirtualMachinePool: %+v", run+1, runs, n, one, loop, kubevirts)
			controllers[size], bare[size] = append(controllers[size], one), append(bare[size], loop)
			pool[size] = append(pool[size], kubevirts)
		}
	}
	return nil
}

// lives are those of n members by the controller, and beside it by the others.
func (b *bench) lives(ctx context.Context, name string, n int, running bool) (one, loop, kubevirts life, err error) {
	one, copied, err := b.ourLife(ctx, name, n, running)
	if err != nil {
		return one, loop, kubevirts, fmt.Errorf("ours: %w", err)
	}
	if err := b.controller.Stop(); err != nil {
		return one, loop, kubevirts, err
	}
	if loop, err = b.bareLife(ctx, copied, n, running); err != nil {
		return one, loop, kubevirts, fmt.Errorf("bare loop: %w", err)
	}
	if kubevirts, err = b.vmPoolLife(ctx, copied, n); err != nil {
		return one, loop, kubevirts, fmt.Errorf("VirtualMachinePool: %w", err)
	}
	return one, loop, kubevirts, b.controller.Restart(ctx)
}

// growthRows are those of the lives by size: the first of as many members as are waited for to run.
func (b *bench) growthRows(controllers, bare, pool [2][]life) {
	add := func(r row, size int, of func(life) float64, peers [2][]life) {
		if len(controllers[size]) > 0 {
			r.Controller, r.Peer = each(controllers[size], of), each(peers[size], of)
			b.report.Rows = append(b.report.Rows, r)
		}
	}
	const loop, kubevirts = "bare loop", "VirtualMachinePool"
	objects := func(l life) float64 { return l.objects }
	for size, n := range []int{b.running, b.many} {
		add(row{ID: "P1", What: fmt.Sprintf("0 -> %d: all objects exist", n), Unit: "s", With: loop, Target: "<= 1.25 x",
			Limit: 1.25}, size, objects, bare)
		add(row{ID: "P2", What: fmt.Sprintf("0 -> %d: all VMs exist", n), Unit: "s", With: kubevirts, Target: "<= 2 x",
			Limit: 2}, size, objects, pool)
	}
	add(row{ID: "P2", What: fmt.Sprintf("0 -> %d: all VMs run", b.running), Unit: "s", With: loop, Target: "<= 1.1 x",
		Limit: 1.1}, 0, func(l life) float64 { return l.running }, bare)
	add(row{ID: "P3", What: fmt.Sprintf("%d -> 0, nothing runs there: all VMs are gone", b.running), Unit: "s", With: loop,
		Target: "<= 2 x", Limit: 2}, 0, func(l life) float64 { return l.gone }, bare)
	b.growthExponents(controllers)
	none := [2][]life{}
	add(row{ID: "P12", What: "writes for a member made, Events included", Unit: "writes", Target: "<= 7", Limit: 7}, 0,
		func(l life) float64 { return l.writesMade }, none)
	add(row{ID: "P12", What: "writes for a member removed, Events included", Unit: "writes", Target: "<= 9", Limit: 9}, 0,
		func(l life) float64 { return l.writesGone }, none)
}

// growthExponents say how what a pool's life takes grows from the lower number of members to the higher.
func (b *bench) growthExponents(lives [2][]life) {
	if len(lives[0]) == 0 || len(lives[1]) == 0 || b.running == b.many {
		return
	}
	add := func(what string, of func(life) float64) {
		times := []float64{median(each(lives[0], of)), median(each(lives[1], of))}
		b.report.Rows = append(b.report.Rows, row{ID: "P11", Target: "<= 1.1", Limit: linear,
			What:       fmt.Sprintf("%s, %d and %d members: exponent", what, b.running, b.many),
			Controller: []float64{exponent([]int{b.running, b.many}, times)}})
	}
	add("P1: all objects exist", func(l life) float64 { return l.objects })
	if b.manyRun {
		add("P3: all VMs are gone", func(l life) float64 { return l.gone })
	}
}

func each(lives []life, of func(life) float64) []float64 {
	var out []float64
	for _, l := range lives {
		out = append(out, of(l))
	}
	return out
}

// ourLife lets a pool of the controller's grow and shrink, and returns what it made as well.
func (b *bench) ourLife(ctx context.Context, name string, n int, running bool) (life, copied, error) {
	l := life{}
	pool, err := b.pool(ctx, name)
	if err != nil {
		return l, copied{}, err
	}
	vms, instances, err := b.clocks(ctx, name)
	if err != nil {
		return l, copied{}, err
	}
	defer vms.cancel()
	defer instances.cancel()
	profiled := b.profileCPU(ctx, fmt.Sprintf("grow-%d", n))
	before, start := len(b.env.APIFaults.Writes()), time.Now()
	if err := b.scale(ctx, pool, n); err != nil {
		return l, copied{}, err
	}
	if err := l.grow(ctx, start, n, vms, instances, running); err != nil {
		return l, copied{}, err
	}
	if running {
		if err := b.awaitReady(ctx, name, n); err != nil {
			return l, copied{}, err
		}
		l.readyAfter = time.Since(start).Seconds()
	}
	if err := profiled(); err != nil {
		return l, copied{}, err
	}
	l.writesMade, l.byKind = b.writes(before, n)
	made, err := b.copyOne(ctx, name)
	if err != nil {
		return l, copied{}, err
	}
	profiled = b.profileCPU(ctx, fmt.Sprintf("shrink-%d", n))
	before, start = len(b.env.APIFaults.Writes()), time.Now()
	if err := b.scale(ctx, pool, 0); err != nil {
		return l, copied{}, err
	}
	if l.gone, err = seconds(vms.await(ctx, start, 0, "")); err != nil {
		return l, copied{}, err
	}
	if err := b.awaitReady(ctx, name, 0); err != nil {
		return l, copied{}, err
	}
	l.goneAfter = time.Since(start).Seconds()
	l.writesGone, l.byKindGone = b.writes(before, n)
	if err := profiled(); err != nil {
		return l, made, err
	}
	return l, made, b.removePool(ctx, pool)
}

// grow notes when n VMs exist, and if they are waited for, when all of them run.
func (l *life) grow(ctx context.Context, start time.Time, n int, vms, instances *clock, running bool) (err error) {
	if l.objects, err = seconds(vms.await(ctx, start, n, "")); err != nil || !running {
		return err
	}
	l.running, err = seconds(instances.await(ctx, start, n, string(kubevirtv1.Running)))
	return err
}

// clocks watch the VMs of a pool, and their instances.
func (b *bench) clocks(ctx context.Context, name string) (vms, instances *clock, err error) {
	if vms, err = watchClock(ctx, b.client, vmKind, ofPool(name)...); err != nil {
		return nil, nil, err
	}
	instances, err = watchClock(ctx, b.client, instanceKind, ofPool(name)...)
	return vms, instances, err
}

func seconds(d time.Duration, err error) (float64, error) { return d.Seconds(), err }

// writes returns how many the controller has sent for each of n members since a number of writes, and of what.
func (b *bench) writes(before, n int) (float64, map[string]int) {
	byKind := map[string]int{}
	all := b.env.APIFaults.Writes()[before:]
	count := 0
	for _, w := range all {
		if w.Status < 300 {
			byKind[w.Method+" "+resourceOf(w.Path)]++
			count++
		}
	}
	return float64(count) / float64(n), byKind
}
