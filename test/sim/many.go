package sim

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// mostReports is after how many violations no more schedules are begun.
const mostReports = 5

// Options of RunMany.
type Options struct {
	// First is the seed of the first schedule; the others follow.
	First     uint64
	Schedules int
	// Workers is how many run at the same time.
	Workers int
	// Tell is called with the story of each violation, one at a time.
	Tell func(string)
	// Brief has violations named, and not told; Whole has all of their stories told.
	Brief, Whole bool
}

// RunMany runs the schedules of consecutive seeds.
func RunMany(o Options) Summary {
	var (
		next  atomic.Uint64
		mu    sync.Mutex
		sum   Summary
		group sync.WaitGroup
	)
	for range o.Workers {
		group.Go(func() {
			for {
				n := next.Add(1) - 1
				mu.Lock()
				enough := sum.Violations >= mostReports && !o.Brief
				mu.Unlock()
				if n >= uint64(o.Schedules) || enough {
					return
				}
				sc := FromSeed(o.First + n)
				r := Run(sc)
				mu.Lock()
				sum.Schedules++
				sum.Steps += r.Steps
				sum.Crashes += r.Crashes
				if r.Violation != nil {
					sum.Violations++
					if o.Brief {
						o.Tell(fmt.Sprintf("seed %d: %s", sc.Seed, r.Violation))
					} else {
						o.Tell(Report(sc, r.Violation, o.Whole))
					}
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return sum
}

// mostLines is how many lines of a story a report shows.
const mostLines = 60

// Report tells of a violation: the seed, the invariant, and the end of the story of those involved, with everything left
// out that isn't needed for it.
func Report(sc Scenario, v *Violation, whole bool) string {
	small := shrink(sc, v)
	r := run(small, true)
	if r.Violation == nil {
		return fmt.Sprintf("seed %d: %s\n(it doesn't happen again: the simulator isn't deterministic)", sc.Seed, v)
	}
	about, most := r.Violation.About, mostLines
	if whole {
		about, most = "", len(r.trace.lines)
	}
	return fmt.Sprintf("seed %d: %s\n%s\n", sc.Seed, r.Violation, r.trace.tail(about, most))
}

// shrink leaves out what isn't needed for the violation.
func shrink(sc Scenario, v *Violation) Scenario {
	try := func(simpler Scenario) {
		if r := Run(simpler); r.Violation != nil && r.Violation.kind() == v.kind() {
			sc = simpler
		}
	}
	for _, off := range []func(*Faults){
		func(f *Faults) { f.Crashes = 0 }, func(f *Faults) { f.Errors = 0 }, func(f *Faults) { f.Conflicts = 0 }, func(f *Faults) { f.Freezes = 0 },
		func(f *Faults) { f.Lag = 0 }, func(f *Faults) { f.Leaders = 0 }, func(f *Faults) { f.Outages = 0 }, func(f *Faults) { f.Stalls = 0 },
		func(f *Faults) { f.Back = 0 }, func(f *Faults) { f.ClaimsLeft = 0 }, func(f *Faults) { f.Broken = 0 }, func(f *Faults) { f.Late = 0 },
	} {
		simpler := sc
		off(&simpler.Faults)
		if simpler.Faults != sc.Faults {
			try(simpler)
		}
	}
	for _, a := range acts {
		if !sc.Without[a.name] {
			simpler := sc
			simpler.Without = map[string]bool{a.name: true}
			for name := range sc.Without {
				simpler.Without[name] = true
			}
			try(simpler)
		}
	}
	return sc
}

// Story tells a whole schedule.
func Story(sc Scenario) string {
	t := run(sc, true).trace
	return t.tail("", len(t.lines))
}
