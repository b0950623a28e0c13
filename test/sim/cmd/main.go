// Command cmd runs schedules of the simulator and ends with one line that sums up; or a fleet, and shows what it costs.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

func main() {
	schedules := flag.Int("schedules", 1000, "how many schedules to run")
	seed := flag.Uint64("seed", 1, "the first one's seed; the others follow")
	workers := flag.Int("workers", runtime.NumCPU(), "how many to run at the same time")
	brief := flag.Bool("brief", false, "name each violation in one line, instead of showing the first ones' traces")
	whole := flag.Bool("whole", false, "show the whole traces of violations, and of everybody")
	off := flag.String("off", "", "kinds of faults that there are none of, separated by commas: crashes,lag")
	without := flag.String("without", "", "acts of others that there are none of, separated by commas: scale,delete pool")
	fleet := flag.Bool("fleet", false, "show what one controller does with many pools, instead of schedules")
	of := sim.Fleet{}
	flag.IntVar(&of.Pools, "pools", 200, "pools of the fleet")
	flag.IntVar(&of.Members, "members", 100, "members of each pool of the fleet")
	flag.Parse()
	if *fleet {
		if err := showFleet(of, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20) // short-lived environments: memory is cheaper than time
	o := sim.Options{
		First: *seed, Schedules: *schedules, Workers: *workers, Emit: func(trace string) { fmt.Println(trace) },
		Brief: *brief, Whole: *whole,
		Off: names(*off), Without: names(*without),
	}
	if err := o.Check(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	summary := sim.RunMany(o)
	fmt.Println(summary)
	if summary.Violations > 0 {
		os.Exit(1)
	}
}

func names(list string) []string {
	if list == "" {
		return nil
	}
	return strings.Split(list, ",")
}
