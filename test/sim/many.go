package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
	// Emit is called with the trace of each violation, one at a time.
	Emit func(trace string)
	// Off are the names of kinds of faults, and Without those of acts, that there are none of.
	Off, Without []string
	// Brief names violations only; Whole shows their whole traces.
	Brief, Whole bool
}

// scenario draws one, and leaves out what is to be left out.
func (o Options) scenario(seed uint64) Scenario {
	sc := FromSeed(seed)
	for _, f := range faults {
		if slices.Contains(o.Off, f.name) {
			sc = sc.turnOff(f)
		}
	}
	for _, name := range o.Without {
		sc = sc.without(name)
	}
	return sc
}

// Check returns an error for what can't be left out, because there is no such thing.
func (o Options) Check() error {
	for _, name := range o.Off {
		if !slices.ContainsFunc(faults, func(f fault) bool { return f.name == name }) {
			return fmt.Errorf("-off: there are no faults called %q", name)
		}
	}
	for _, name := range o.Without {
		if !slices.Contains(actNames(), name) {
			return fmt.Errorf("-without: there is no act called %q", name)
		}
	}
	return nil
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
				sc := o.scenario(o.First + n)
				r := Run(sc)
				mu.Lock()
				sum.Schedules++
				sum.Steps += r.Steps
				sum.Crashes += r.Crashes
				if r.Violation != nil {
					sum.Violations++
					if o.Brief {
						o.Emit(fmt.Sprintf("seed %d: %s", sc.Seed, r.Violation))
					} else {
						o.Emit(Report(sc, r.Violation, o.Whole))
					}
				}
				mu.Unlock()
			}
		})
	}
	group.Wait()
	return sum
}

// firstLines and lastLines are how many lines of a trace a report shows, from its beginning and from its end.
const firstLines, lastLines = 25, 60

// Report describes a violation: the seed, the invariant, how to have it again, and the beginning and the end of the
// trace of those involved, with everything left out that isn't needed for it.
func Report(sc Scenario, v *Violation, whole bool) string {
	small := shrink(sc, v)
	r := run(small, true)
	if r.Violation == nil {
		return fmt.Sprintf("seed %d: %s\n(it doesn't happen again: the simulator isn't deterministic)", sc.Seed, v)
	}
	about, first, last := r.Violation.About, firstLines, lastLines
	if whole {
		about, last = "", len(r.trace.lines)
	}
	return fmt.Sprintf("seed %d: %s\nthe whole of it: %s\n%s\n", sc.Seed, r.Violation, small.command(),
		r.trace.excerpt(about, first, last))
}

// command runs the scenario again.
func (sc Scenario) command() string {
	out := fmt.Sprintf("go run ./test/sim/cmd -schedules 1 -seed %d", sc.Seed)
	if len(sc.off) > 0 {
		out += " -off " + strings.Join(sc.off, ",")
	}
	if len(sc.Without) > 0 {
		out += fmt.Sprintf(" -without '%s'", strings.Join(slices.Sorted(maps.Keys(sc.Without)), ","))
	}
	return out + " -whole"
}

// shrink leaves out what isn't needed for the violation, until nothing more can be left out.
func shrink(sc Scenario, v *Violation) Scenario {
	for {
		simpler := simplify(sc, v)
		if len(simpler.off) == len(sc.off) && len(simpler.Without) == len(sc.Without) {
			return sc
		}
		sc = simpler
	}
}

func simplify(sc Scenario, v *Violation) Scenario {
	try := func(simpler Scenario) {
		if r := Run(simpler); r.Violation != nil && r.Violation.kind() == v.kind() {
			sc = simpler
		}
	}
	for _, f := range faults {
		if simpler := sc.turnOff(f); simpler.Faults != sc.Faults {
			try(simpler)
		}
	}
	for _, name := range actNames() {
		if !sc.Without[name] {
			try(sc.without(name))
		}
	}
	return sc
}

// Trace returns the whole trace of a schedule.
func Trace(sc Scenario) string {
	t := run(sc, true).trace
	return t.excerpt("", 0, len(t.lines))
}
