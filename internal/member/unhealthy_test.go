package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestUnhealthyTime(t *testing.T) {
	const since = -3 * time.Minute
	was := func(o *nodestate.State) { o.Node.UnhealthyTime = now.Add(since) }
	status := func(s string) change { return func(o *nodestate.State) { o.Nomad.Status = s } }
	halted := func(o *nodestate.State) { o.VM.Halted, o.Instance = true, nodestate.Instance{} }
	for _, c := range []struct {
		name string
		o    nodestate.State
		want time.Time
	}{
		{"works", steady(), time.Time{}},
		{"works again", steady(was), time.Time{}},
		{"down, to the second", steady(status("down"), later(300*time.Millisecond)), now},
		{"disconnected", steady(status("disconnected")), now},
		{"initializing", steady(status("initializing")), now},
		{"registered elsewhere", steady(elsewhere), now},
		{"purged by somebody", steady(notInNomad), now},
		{"for a while", steady(status("down"), was), now.Add(since)},
		{"another trouble than before", steady(notInNomad, was), now.Add(since)},
		{"ineligible is somebody's wish", steady(cordoned), time.Time{}},
		{"never joined", booting(), time.Time{}},
		{"halted by somebody", steady(status("down"), halted, was), time.Time{}},
		{"no host can take its VM", steady(status("down"), unschedulable(time.Minute), was), time.Time{}},
		{"no host can take its VM, and Nomad wasn't asked yet", steady(notAsked, unschedulable(time.Minute), was),
			time.Time{}},
		{"it has capacity again: it boots first", steady(status("down"), wasBlocked(v1alpha1.BlockedByCapacity)), now},
		{"the scheduler may find a host in a moment", steady(status("down"), unschedulable(time.Second), was),
			now.Add(since)},
		{"an external VM is halted: the member's is lost",
			steady(externalVM, status("down"), func(o *nodestate.State) { o.VM.Halted = true }), now},
		{"leaving", requested(status("down"), was), time.Time{}},
		{"deleted", steady(status("down"), was, deleted), time.Time{}},
		{"canceled", requested(canceled, status("down")), now},
		{"unknown is not down", steady(status("down"), was, nomadUnknown), time.Time{}},
		{"not asked yet: the timeout runs on", steady(status("down"), was, notAsked), now.Add(since)},
		{"not asked yet, was well", steady(notAsked), time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := decide(c.o).UnhealthyTime; !got.Equal(c.want) {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}
