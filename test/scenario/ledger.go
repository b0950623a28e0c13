package scenario

import (
	"fmt"

	"github.com/hashicorp/nomad/api"
)

// ledger judges how the job's allocations ended.
type ledger struct{ nomad *api.Client }

func newLedger(c *api.Client) *ledger { return &ledger{c} }

func (l *ledger) allocations() ([]*api.AllocationListStub, error) {
	a, _, err := l.nomad.Jobs().Allocations(JobID, true, nil)
	return a, err
}

// running is how many allocations run and are wanted.
func (l *ledger) running() int {
	all, err := l.allocations()
	if err != nil {
		return -1
	}
	n := 0
	for _, a := range all {
		if a.ClientStatus == api.AllocClientStatusRunning && a.DesiredStatus == api.AllocDesiredStatusRun {
			n++
		}
	}
	return n
}

// byNode is how many live allocations each node has.
func (l *ledger) byNode() map[string]int {
	out := map[string]int{}
	all, err := l.allocations()
	if err != nil {
		return out
	}
	for _, a := range all {
		if a.ClientStatus == api.AllocClientStatusRunning || a.ClientStatus == api.AllocClientStatusPending {
			out[a.NodeID]++
		}
	}
	return out
}

// migrating is how Nomad explains that it moves an allocation (Nomad: scheduler/reconciler, allocMigrating).
const migrating = "alloc is being migrated"

// count tells the allocations that Nomad stopped or moved from those that ended in any other way: with their node, by
// failure, or by themselves, for they sleep for a day.
func (l *ledger) count() (moved, lost int, err error) {
	all, err := l.allocations()
	if err != nil {
		return 0, 0, fmt.Errorf("counting allocations: %w", err)
	}
	for _, a := range all {
		switch a.ClientStatus {
		case api.AllocClientStatusRunning, api.AllocClientStatusPending:
		case api.AllocClientStatusComplete:
			if a.DesiredStatus == api.AllocDesiredStatusRun {
				lost++
				continue
			}
			if a.DesiredDescription == migrating {
				moved++
			}
		default:
			lost++
		}
	}
	return moved, lost, nil
}
