package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
)

// options are what to measure, and how.
type options struct {
	rows         []string // none: all
	runs, starts int
	running      int
	many         int // 0: none
	manyRuns     int
	manyRun      bool // they run before they leave
	endEvery     time.Duration
	idle         time.Duration
	sizes        []int
	results      string
	profiles     string // directory; none: none are written
}

// bootDelay is how long a guest takes from when its VM runs until its Nomad client starts, which is little for a real
// one. Without it guests would have joined before KubeVirt says that their VMs run.
const bootDelay = 20 * time.Second

// wants reports if one of the rows is asked for.
func (o options) wants(rows ...string) bool {
	return len(o.rows) == 0 || slices.ContainsFunc(rows, func(row string) bool { return slices.Contains(o.rows, row) })
}

func main() {
	o := options{}
	rows := flag.String("rows", "", "rows to measure, such as P1,P12; empty: all")
	flag.IntVar(&o.runs, "runs", 5, "paired runs, of which the median counts")
	flag.IntVar(&o.running, "running", 100, "members of the rows that wait until VMs run; 0: none of these rows")
	flag.IntVar(&o.many, "many", 500, "members of the rows that only wait until all objects exist; 0: none of these rows")
	flag.IntVar(&o.manyRuns, "many-runs", 1, "paired runs of these")
	flag.BoolVar(&o.manyRun, "many-run", false, "wait until these run, too, and measure how they leave")
	flag.IntVar(&o.starts, "starts", 3, "starts of a controller at each size, of which the median counts")
	flag.DurationVar(&o.idle, "idle", time.Minute, "how long an idle controller's writes are counted at the largest size")
	flag.StringVar(&o.results, "out", "bench/results.json", "file for the results")
	flag.DurationVar(&o.endEvery, "end-every", 500*time.Millisecond, "how often work ends on a node in row P4")
	flag.StringVar(&o.profiles, "profiles", "", "directory for profiles of the controller in P1, P3 and P7; empty: none")
	sizes := flag.String("sizes", "10,100,500,1000,5000", "members of the rows that measure growth, in rising order")
	flag.Parse()
	for size := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.Atoi(size)
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: -sizes:", err)
			os.Exit(2)
		}
		o.sizes = append(o.sizes, n)
	}
	if *rows != "" {
		o.rows = strings.Split(*rows, ",")
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	nomad, err := binaries.FindNomad(ctx, os.Stderr)
	if err != nil {
		return err
	}
	klog.SetLogger(logr.Discard()) // of clients whose environment has ended
	b := &bench{options: o, report: report{Nomad: nomad.String(), StandIn: nomad.StandIn}}
	pattern, err := b.smallRows(ctx)
	if err == nil && pattern != nil {
		err = b.largeRows(ctx, pattern)
	}
	b.report.print(os.Stdout) // what was measured before an error is worth something too
	return errors.Join(err, b.report.write(o.results))
}

// smallRows measures what takes VMs that run. It returns the pattern of a member, if more than that is wanted.
func (b *bench) smallRows(ctx context.Context) (pattern *pattern, err error) {
	b.env, err = testenv.Start(ctx,
		testenv.Options{ACL: true, Progress: os.Stderr, Guest: hypervisor.SimulatedGuest, Hosts: 5, BootDelay: bootDelay})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.env.Stop()) }()
	if err := b.start(ctx); err != nil {
		return nil, err
	}
	for _, part := range []func(context.Context) error{b.growth, b.drained, b.pluginRows, b.metricToVM,
		b.busyRows} {
		if err := part(ctx); err != nil {
			return nil, err
		}
	}
	if !b.wants(largeRowIDs...) {
		return nil, nil
	}
	return b.makePattern(ctx)
}
