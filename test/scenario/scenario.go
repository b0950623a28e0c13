package scenario

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	// PoolName is what the story's pool is called, and its job's node pool.
	PoolName = "demo"
	nodePool = "demo"
	// peak and rest are the job's counts. One member has capacity for 4 allocations; the autoscaler aims at 70 %.
	peak, rest = 8, 2
	// wanted is how many members peak asks for: ceil(8 allocations / (4 × 0.7)).
	wanted = 3
	// phaseTimeout bounds each part of it.
	phaseTimeout = 3 * time.Minute
)

// Summary is what happened.
type Summary struct {
	// Peak is how many members were ready at the same time.
	Peak int
	// Drained is how many Nomad nodes were drained before their VMs went.
	Drained int
	// Moved is how many allocations Nomad itself stopped or migrated.
	Moved int
	// Lost is how many allocations ended in any other way.
	Lost int
	// Took is the time from the pool's making to the end.
	Took time.Duration
}

// String is the demo's last line.
func (s Summary) String() string {
	return fmt.Sprintf("demo: scaled 1 -> %d -> 1; %d nodes drained; %d allocations lost; %.0f s", s.Peak, s.Drained,
		s.Lost, s.Took.Seconds())
}

// Err says what didn't happen; nil: all of it did.
func (s Summary) Err() error {
	var errs []error
	if s.Peak < wanted {
		errs = append(errs, fmt.Errorf("the pool reached %d ready members, not %d", s.Peak, wanted))
	}
	if s.Drained < s.Peak-1 {
		errs = append(errs, fmt.Errorf("%d of %d removed members were drained", s.Drained, s.Peak-1))
	}
	if s.Moved == 0 {
		errs = append(errs, errors.New("no running allocation had to move, so nothing was shown"))
	}
	if s.Lost > 0 {
		errs = append(errs, fmt.Errorf("%d allocations ended otherwise than by Nomad's own stop or migration", s.Lost))
	}
	return errors.Join(errs...)
}

// Play plays it on an environment with a controller, with a pool and a job of its own, which stay. It tells it
// on out: as a live table if live is true, else as lines.
func Play(ctx context.Context, w *testenv.Environment, out io.Writer, live bool) (Summary, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	a, err := w.StartAutoscaler(ctx, testenv.AutoscalerOptions{Policies: map[string]string{"demo.hcl": policy}})
	if err != nil {
		return Summary{}, err
	}
	defer a.Stop() //nolint:errcheck // what it did was seen; and the environment stops what is left
	t := newReporter(w, out, live)
	l := newLedger(w.Nomad)
	done := make(chan struct{})
	go func() { defer close(done); t.run(ctx, l) }()
	s, err := play(ctx, w, t, l)
	cancel()
	<-done
	if err != nil {
		return s, err
	}
	return s, s.Err()
}

func play(ctx context.Context, w *testenv.Environment, t *reporter, l *ledger) (Summary, error) {
	start := time.Now()
	var s Summary
	for _, step := range []struct {
		report string
		do     func() error
		what   string
		done   func(state) bool
	}{
		{"A pool of 1 is applied.", func() error { return w.Client.Create(ctx, pool(w)) }, "the first member to be ready",
			func(st state) bool { return st.ready == 1 }},
		{fmt.Sprintf("A Nomad job asks for %d allocations; one member has room for 4.", peak),
			func() error { return runJob(w.Nomad, peak) }, "the pool to scale out",
			func(st state) bool { return st.ready >= wanted && st.running == peak }},
		{fmt.Sprintf("Demand falls to %d allocations. The oldest members leave (scaleIn.strategy): their work moves.", rest),
			func() error { s.Peak = t.state().ready; return runJob(w.Nomad, rest) }, "the pool to scale in",
			func(st state) bool { return st.members == 1 && st.ready == 1 && st.vms == 1 && st.running == rest }},
	} {
		t.report(step.report)
		if err := step.do(); err != nil {
			return s, err
		}
		if err := t.wait(ctx, step.what, step.done); err != nil {
			return s, err
		}
	}
	s.Took = time.Since(start)
	s.Drained = t.drained()
	var err error
	s.Moved, s.Lost, err = l.count()
	return s, err
}

func (t *reporter) wait(ctx context.Context, what string, done func(state) bool) error {
	ctx, cancel := context.WithTimeout(ctx, phaseTimeout)
	defer cancel()
	return process.WaitFor(ctx, 200*time.Millisecond, what, func(context.Context) error {
		if st := t.state(); !done(st) {
			return fmt.Errorf("now: %s", st)
		}
		return nil
	})
}

func pool(w *testenv.Environment) *v1alpha1.NomadNodePool {
	return &v1alpha1.NomadNodePool{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: PoolName},
		Spec: v1alpha1.NomadNodePoolSpec{
			Replicas: ptr(int32(1)),
			Nomad: v1alpha1.NomadSpec{NomadClient: v1alpha1.NomadClient{
				Servers: []string{w.NomadServer.RPCAddr}, NodePool: nodePool, NodeClass: PoolName,
			}},
			Template: v1alpha1.NodeTemplate{
				CPU: 2, Memory: resource.MustParse("2Gi"), OS: "linux",
				Disks:    []v1alpha1.Disk{{Name: "root", Size: resource.MustParse("20Gi"), Image: fixtures.Image}},
				Networks: []v1alpha1.Network{{Name: fixtures.Network}},
			},
			// The oldest leave, which are those with the work that stays, so that it has to move.
			ScaleIn: v1alpha1.ScaleInSpec{Strategy: v1alpha1.OldestCreateIndex,
				Drain: v1alpha1.DrainPolicy{Deadline: metav1.Duration{Duration: 2 * time.Minute}}},
			Health: v1alpha1.HealthSpec{JoinTimeout: metav1.Duration{Duration: 2 * time.Minute}},
		},
	}
}

// ofPool selects the pool's objects.
func ofPool() []client.ListOption {
	return []client.ListOption{client.InNamespace(fixtures.Namespace), client.MatchingLabels{v1alpha1.PoolLabel: PoolName}}
}
