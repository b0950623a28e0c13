package sim_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

// mostForMutants is within how many schedules each deliberate bug must be found.
const mostForMutants = 2000

func TestMutantsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a minute")
	}
	if n := len(sim.Mutants()); n < 45 {
		t.Errorf("only %d deliberate bugs", n)
	}
	for _, m := range sim.Mutants() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(mostForMutants) {
				sc := sim.FromSeed(seed + 1)
				sc.Mutation = m
				if r := sim.Run(sc); r.Violation != nil {
					t.Logf("after %d schedules: %s", seed+1, r.Violation)
					return
				}
			}
			t.Errorf("not found in %d schedules", mostForMutants)
		})
	}
}
