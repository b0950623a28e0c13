package sim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/sim"
)

// A pool cancels no drain that stops a batch job, whenever in these seconds its capacity is asked for again, and the
// checks notice one that does.
func TestDrainThatStopsABatchJobIsNotCanceled(t *testing.T) {
	found := 0
	for late := time.Duration(0); late <= 12*time.Second; late += time.Second {
		product, mutant := sim.AskForAgain(late)
		if product != nil {
			t.Errorf("asked for again %s after the deadline: %s", late, product)
		}
		if mutant != nil && strings.Contains(mutant.String(), "of a batch job, is being stopped") {
			found++
		} else if mutant != nil {
			t.Errorf("the mutant, %s after the deadline: %s", late, mutant)
		}
	}
	if found == 0 {
		t.Error("nobody notices a drain that is canceled while it stops a batch job")
	}
	t.Logf("the mutant was found %d times", found)
}
