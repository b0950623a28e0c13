package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// A server that says at each poll that the drain was sent, began or ended just now doesn't hold a forced drain beyond
// its deadline and the time to stop.
func TestForcedDrainEndsWhateverNomadReports(t *testing.T) {
	for name, report := range map[string]change{
		"updated":            func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now },
		"started":            func(o *nodestate.State) { o.Nomad.DrainStarted = o.Now },
		"updated, and down":  func(o *nodestate.State) { nodeDown(o); o.Nomad.DrainUpdated = o.Now },
		"complete":           func(o *nodestate.State) { complete(o); o.Nomad.DrainUpdated = o.Now },
		"updated, unlisted":  func(o *nodestate.State) { o.Nomad.DrainUpdated, o.Nomad.LiveKnown = o.Now, false },
		"updated, and ahead": func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now.Add(50 * time.Second) },
	} {
		o := draining(service("web"))
		deadline := o.Node.Drain.DeadlineTime.Time
		for checks := 0; ; checks++ {
			d := decide(with(o, report))
			if d.Step == member.MarkDrained {
				break
			}
			if d.Step == member.Drain && o.Stop.Asked.IsZero() { // Nomad still shows it
				accepts(&o)
				continue
			}
			if d.Step != member.Wait || d.Wake <= 0 || checks > 2000 {
				t.Fatalf("%s: %s, wakes in %s, after %d checks", name, d.Step, d.Wake, checks)
			}
			o.Node.ForcedTime = d.ForcedTime
			o.Now = o.Now.Add(d.Wake)
		}
		most := grace + overrun
		if name == "updated, and ahead" {
			most += 50 * time.Second // once: its clock may be
		}
		if took := o.Now.Sub(deadline); took > most {
			t.Errorf("%s: it ended %s after its deadline", name, took)
		}
	}
}

func TestTimeOfForceIsWrittenOnce(t *testing.T) {
	deadline := now.Add(14 * time.Minute)
	was := func(o *nodestate.State) { o.Node.ForcedTime = deadline.Add(5 * time.Second) }
	older := func(o *nodestate.State) { o.Node.ForcedTime = deadline.Add(-time.Minute) }
	updated := func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now.Add(-1500 * time.Millisecond) }
	recent := deadline.Add(59 * time.Second) // to the next second
	for _, c := range []struct {
		name string
		o    nodestate.State
		want time.Time
	}{
		{"before the deadline", draining(service("web"), updated), time.Time{}},
		{"at the deadline", draining(service("web"), overdue(0)), deadline},
		{"not ended, and not asked for yet", draining(service("web"), overdue(0), sentBefore), time.Time{}},
		{"sent later", draining(service("web"), overdue(time.Minute), updated), recent},
		{"complete later", draining(service("web"), complete, overdue(time.Minute), updated), recent},
		{"written", draining(service("web"), overdue(time.Minute), was, updated), deadline.Add(5 * time.Second)},
		{"written for an earlier deadline", draining(service("web"), overdue(time.Minute), older), deadline},
		{"the deadline was moved", draining(service("web"), was), time.Time{}},
		{"retained", draining(service("web"), retain, overdue(time.Minute), was), time.Time{}},
		{"canceled", draining(service("web"), canceled, overdue(time.Minute), was), time.Time{}},
		{"Nomad is unknown", draining(service("web"), nomadUnknown, overdue(time.Minute), was), deadline.Add(5 * time.Second)},
		{"not sent yet", requested(cordoned, overdue(time.Minute)), time.Time{}},
		{"somebody else's drain", draining(service("web"), othersDrain, overdue(time.Minute), updated), time.Time{}},
		{"drained", removing(was), time.Time{}},
		{"wanted", steady(was), time.Time{}},
	} {
		if got := decide(c.o).ForcedTime; !got.Equal(c.want) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

// A member that leaves may go although it isn't known what it has, but never before its time is over, and with Retain
// never.
func TestWhoGoesWithoutBeingKnown(t *testing.T) {
	over := overdue(grace)
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"its time is over":               {requested(over), true},
		"it has a moment left":           {requested(overdue(grace - time.Nanosecond)), false},
		"wanted":                         {steady(over), false},
		"wanted, Retain":                 {steady(over, retain), false},
		"Retain":                         {requested(over, retain), false},
		"Retain, and its VM was deleted": {requested(over, retain, leaves(v1alpha1.DrainVMDeleted)), true},
	} {
		if got := member.GivenUp(c.o); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}
