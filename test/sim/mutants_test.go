package sim_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

const (
	// mostForMutants is within how many schedules each deliberate bug must be found.
	mostForMutants = 3000
	// foundFile says which schedule was the first to find each. That one is run first: the many before it have found
	// nothing.
	foundFile = "testdata/mutants.txt"
)

func TestMutantsAreFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	if n := len(sim.Mutants()); n < 80 {
		t.Errorf("only %d deliberate bugs", n)
	}
	before := readFound(t)
	var mu sync.Mutex
	now := map[string]uint64{}
	if *update {
		t.Cleanup(func() { writeFound(t, now) })
	}
	for _, m := range sim.Mutants() {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			first := before[m.Name]
			if first > 0 && first <= mostForMutants && !*update {
				if v := violationOf(m, first); v != nil {
					t.Logf("schedule %d: %s", first, v)
					return
				}
			}
			for seed := uint64(1); seed <= mostForMutants; seed++ {
				v := violationOf(m, seed)
				if v == nil {
					continue
				}
				t.Logf("after %d schedules: %s", seed, v)
				if seed != first {
					t.Logf("%s is out of date, so that this took long: go test ./test/sim -run Mutants -update", foundFile)
				}
				mu.Lock()
				now[m.Name] = seed
				mu.Unlock()
				return
			}
			t.Errorf("not found in %d schedules", mostForMutants)
		})
	}
}

func violationOf(m sim.Mutation, seed uint64) *sim.Violation {
	sc := sim.FromSeed(seed)
	sc.Mutation = m
	return sim.Run(sc).Violation
}

// readFound reads the schedules by the mutants' names.
func readFound(t *testing.T) map[string]uint64 {
	t.Helper()
	text, err := os.ReadFile(foundFile)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]uint64{}
	for line := range strings.Lines(string(text)) {
		number, name, _ := strings.Cut(strings.TrimSpace(line), " ")
		var seed uint64
		if _, err := fmt.Sscan(number, &seed); err != nil {
			t.Fatalf("%s: %q: %v", foundFile, line, err)
		}
		found[name] = seed
	}
	return found
}

func writeFound(t *testing.T, found map[string]uint64) {
	t.Helper()
	var text strings.Builder
	for _, name := range slices.Sorted(maps.Keys(found)) {
		fmt.Fprintln(&text, found[name], name)
	}
	if err := os.WriteFile(foundFile, []byte(text.String()), 0o600); err != nil {
		t.Error(err)
	}
}
