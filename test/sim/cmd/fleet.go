package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

// showFleet runs a fleet and prints a line for each scene. CPU and heap are real: those of the reconcilers and of all
// that is simulated around them.
func showFleet(of sim.Fleet, out io.Writer) error {
	fmt.Fprintf(out, "%d members in %d pools of one controller, in %d Nomads; time is simulated, CPU and heap are real\n",
		of.Pools*of.Members, of.Pools, of.Nomads())
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "scene\tmembers\ttook\twrites\ta member\tmost a second\treads\tto Nomad\ta minute\tpool reconciles\t"+
		"member reconciles\tCPU\theap")
	debug.SetGCPercent(400) // memory is cheaper than time
	before := cpu()
	err := sim.RunFleet(of, func(s sim.Scene) {
		runtime.GC()
		var heap runtime.MemStats
		runtime.ReadMemStats(&heap)
		now := cpu()
		fmt.Fprintf(w, "%s\t%d\t%s\t%d\t%.1f\t%d\t%d\t%d\t%.1f\t%d\t%d\t%.0f s\t%d MiB\n", s.Name, s.Members,
			s.Took.Round(time.Second), s.Writes, float64(s.Writes)/float64(max(s.Members, 1)), s.MostWrites, s.Reads, s.Nomad,
			s.NomadPerMinute, s.Pools, s.Nodes, (now - before).Seconds(), heap.HeapAlloc>>20)
		fmt.Fprintf(os.Stderr, "sim: %s: %s\n", s.Name, (now - before).Round(time.Second))
		before = now
	})
	return errors.Join(err, w.Flush())
}

// cpu is what this process has used so far.
func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u) // of oneself it can't fail
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
