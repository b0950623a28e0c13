package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
)

// options are what to measure, and how.
type options struct {
	rows          []string // none: all
	runs          int
	many, running int
	results       string
}

// wants reports if one of the rows is asked for.
func (o options) wants(rows ...string) bool {
	return len(o.rows) == 0 || slices.ContainsFunc(rows, func(row string) bool { return slices.Contains(o.rows, row) })
}

func main() {
	o := options{}
	rows := flag.String("rows", "", "rows to measure, such as P1,P12; empty: all")
	flag.IntVar(&o.runs, "runs", 5, "paired runs, of which the median counts")
	flag.IntVar(&o.many, "many", 200, "members of the rows that only make objects")
	flag.IntVar(&o.running, "running", 100, "members of the rows that wait until VMs run")
	flag.StringVar(&o.results, "out", "bench/results.json", "file for the results")
	flag.Parse()
	if *rows != "" {
		o.rows = strings.Split(*rows, ",")
	}
	if err := run(o); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(o options) (err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	nomad, err := binaries.FindNomad(ctx, os.Stderr)
	if err != nil {
		return err
	}
	env, err := testenv.Start(ctx,
		testenv.Options{ACL: true, Progress: os.Stderr, Guest: hypervisor.SimulatedGuest, Hosts: 5})
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := env.Stop(); err == nil {
			err = stopErr
		}
	}()
	b := &bench{options: o, env: env, report: report{Nomad: nomad.String()}}
	if err := b.start(ctx); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{b.growth, b.idle, b.drained, b.pluginRows} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	b.report.print(os.Stdout)
	return b.report.write(o.results)
}
