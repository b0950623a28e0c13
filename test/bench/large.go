package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
)

// largeRowIDs are the rows that it takes the large environment for.
var largeRowIDs = []string{"P5", "P5b", "P6", "P7", "P11"}

// poolSize is how many members a pool of the large environment has at most.
const poolSize = 100

// memoryLimit is what the shipped Deployment gives the controller.
const memoryLimit = "GOMEMLIMIT=220MiB"

// large is an environment with thousands of members, whose VMs and guests nobody runs: it is filled step by step.
type large struct {
	*bench
	pattern *pattern
	nomad   *nomadProxy
	pools   []loaded
	members int
	stops   []func()
	costs   []sizeCosts
}

// sizeCosts is what was measured at one size.
type sizeCosts struct {
	members                 int
	times, cpu, rss, writes []float64 // of each start
	idle, draining          float64   // requests in a minute
	idleWrites              float64
	idleFor                 time.Duration
}

// largeRows measures what must not grow, or not faster than the members do, in environments of their own.
func (b *bench) largeRows(ctx context.Context, pattern *pattern) error {
	if b.wants("P5", "P6", "P7", "P11") {
		if err := b.inLarge(ctx, pattern, (*large).measureSizes); err != nil {
			return err
		}
	}
	if b.wants("P5b") {
		return b.inLarge(ctx, pattern, (*large).measureServer)
	}
	return nil
}

// inLarge measures in an environment with nothing but the pattern's node pool.
func (b *bench) inLarge(ctx context.Context, pattern *pattern,
	measure func(*large, context.Context) error) (err error) {
	env, err := testenv.Start(ctx, testenv.Options{ACL: true, Progress: os.Stderr, KindsOnly: true})
	if err != nil {
		return err
	}
	l := &large{bench: &bench{options: b.options, env: env}, pattern: pattern}
	defer func() {
		for _, stop := range l.stops {
			stop()
		}
		err = errors.Join(err, env.Stop())
	}()
	if err := l.start(ctx); err != nil {
		return err
	}
	err = measure(l, ctx)
	b.report.Rows = append(b.report.Rows, l.report.Rows...)
	return err
}

// measureSizes measures at one size after the other.
func (l *large) measureSizes(ctx context.Context) error {
	defer func() { l.report.Rows = append(l.report.Rows, largeGrowth(l.costs)...) }()
	for _, n := range l.sizes {
		if err := l.measure(ctx, n); err != nil {
			return fmt.Errorf("%d members: %w", n, err)
		}
	}
	return nil
}

// start prepares a controller that isn't started yet but that finds Nomad through a proxy.
func (l *large) start(ctx context.Context) error {
	scheme, err := testenv.Scheme()
	if err != nil {
		return err
	}
	if l.client, err = client.NewWithWatch(l.env.RESTConfig, client.Options{Scheme: scheme}); err != nil {
		return err
	}
	if l.nomad, err = startNomadProxy(l.env.NomadAddr); err != nil {
		return err
	}
	l.stops = append(l.stops, l.nomad.close)
	l.pattern.movedTo = l.nomad.url()
	if err := l.startController(ctx, testenv.ControllerOptions{
		Env: []string{"NOMAD_ADDR=" + l.nomad.url(), memoryLimit}, PlainMetrics: true}); err != nil {
		return err
	}
	return l.controller.Stop()
}

// measure fills the environment up to so many members and measures what is asked for.
func (l *large) measure(ctx context.Context, n int) error {
	began := time.Now()
	if err := l.fill(ctx, n); err != nil {
		return err
	}
	l.log("%d members in %d pools are there after %.0f s", l.members, len(l.pools), time.Since(began).Seconds())
	costs := sizeCosts{members: l.members}
	if err := l.correct(ctx); err != nil {
		return err
	}
	for range l.startRuns() {
		if err := l.measureStart(ctx, &costs); err != nil {
			return err
		}
	}
	if l.wants("P5", "P6") {
		if err := l.measureRequests(ctx, &costs); err != nil {
			return err
		}
	}
	l.costs = append(l.costs, costs)
	return l.controller.Stop()
}

// fill adds pools until there are so many members.
func (l *large) fill(ctx context.Context, n int) error {
	for l.members < n {
		p, err := l.pattern.load(ctx, l.env, fmt.Sprintf("large-%d", len(l.pools)), min(poolSize, n-l.members))
		if err != nil {
			return err
		}
		stop, err := l.register(ctx, p)
		l.stops = append(l.stops, stop)
		if err != nil {
			return err
		}
		l.pools, l.members = append(l.pools, p), l.members+len(p.members)
	}
	return nil
}

// correct runs a controller once, so that all is as a controller leaves it.
func (l *large) correct(ctx context.Context) error {
	before := len(l.env.APIFaults.Writes())
	_, took, err := l.restart(ctx)
	if err != nil {
		return err
	}
	// What only explains a status further is written later.
	sleep(ctx, 15*time.Second)
	_, kinds := l.writes(before, 1)
	l.log("%d members are as a controller leaves them after %.1f s: %v", l.members, took, kinds)
	return nil
}

// startRuns is how often a start is measured.
func (l *large) startRuns() int {
	if !l.wants("P7", "P11") {
		return 0
	}
	return l.starts
}
