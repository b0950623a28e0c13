package sim_test

import (
	"os"
	"runtime/debug"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

func TestMain(m *testing.M) {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(512 << 20) // short-lived environments: memory is cheaper than time
	os.Exit(m.Run())
}

// The first schedules, each time the same. A few are enough for the race detector, which is about what they share.
func TestSchedules(t *testing.T) {
	schedules := 1000
	if testing.Short() {
		schedules = 16
	}
	summary := sim.RunMany(
		sim.Options{First: 1, Schedules: schedules, Workers: 2, Emit: func(trace string) { t.Error(trace) }})
	t.Log(summary)
	if summary.Schedules < schedules && summary.Violations == 0 {
		t.Errorf("only %d schedules were run", summary.Schedules)
	}
}

// The same seed gives the same schedule, to the letter.
func TestSchedulesRepeat(t *testing.T) {
	seeds := uint64(10)
	if testing.Short() {
		seeds = 2
	}
	for seed := range seeds {
		sc := sim.FromSeed(seed)
		if a, b := sim.Trace(sc), sim.Trace(sc); a != b {
			t.Errorf("seed %d has two traces", seed)
		}
	}
}
