package member_test

import (
	"regexp"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// overrun is when Nomad is asked for a drain that runs on after its deadline.
const overrun = 10 * time.Second

// recovered is a Nomad that could be asked again, by this process, since so long.
func recovered(since time.Duration) change {
	return func(o *nodestate.State) { o.NomadRecovered = o.Now.Add(-since) }
}

// askedToStop is a Nomad that was asked, so long ago, to stop what is left, and refused.
func askedToStop(since time.Duration) change {
	return func(o *nodestate.State) { o.Stop.Asked, o.Stop.Refused = o.Now.Add(-since), o.Now.Add(-since) }
}

// running are system jobs' allocations that Nomad hasn't asked to stop.
func running(names ...string) []nodestate.Allocation {
	out := system(names...)
	for i := range out {
		out[i].KeptRunning = true
	}
	return out
}

// A drain that runs on after its deadline was changed in Nomad's UI, or Nomad was away. Nomad is asked to stop what is
// left, and from then on that has its time to stop.
func TestDrainThatRunsOnIsAskedFor(t *testing.T) {
	long := overdue(time.Hour)
	runSteps(t, []stepCase{
		{name: "at the deadline: Nomad acts in a moment", o: draining(service("web"), overdue(0), sentBefore),
			step: member.Wait, wake: overrun},
		{name: "it doesn't", o: draining(service("web"), overdue(overrun), sentBefore), step: member.Drain},
		{name: "nor could it be asked before", o: draining(service("web"), long, sentBefore, recovered(0)), step: member.Drain},
		{name: "nor was it looked at before", o: draining(service("web"), long, sentBefore), step: member.Drain},
		{name: "accepted", o: draining(service("web"), long, accepts), step: member.Wait, wake: grace},
		{name: "accepted by another process", o: draining(service("web"), long, sentBefore,
			func(o *nodestate.State) { o.Node.ForcedTime = o.Now.Add(-grace + time.Second) }), step: member.Wait,
			wake: time.Second},
		{name: "allocations unknown", o: draining(nil, allocationsUnknown("500"), overdue(overrun), sentBefore),
			step: member.Drain},
		{name: "empty", o: draining(nil, overdue(overrun), sentBefore), step: member.MarkDrained},
		{name: "it has ended", o: draining(service("web"), complete, overdue(overrun), sentBefore), step: member.Wait,
			wake: grace - overrun},
		{name: "and has left something running", o: draining(running("log"), complete, overdue(overrun), sentBefore),
			step: member.Drain},
		{name: "which is stopped now", o: draining(running("log"), complete, overdue(overrun), sentBefore, accepts),
			step: member.Wait, wake: grace},
		{name: "which is left alone by the policy", o: draining(running("log"), complete, overdue(overrun), sentBefore,
			ignoreSystem), step: member.MarkDrained},
		{name: "down", o: draining(service("web"), nodeDown, overdue(overrun), sentBefore), step: member.Wait,
			wake: grace - overrun},
		{name: "retained", o: draining(service("web"), retain, long, sentBefore), step: member.Wait},
		{name: "refused again and again", o: draining(service("web"), long, sentBefore, askedToStop(grace-time.Second)),
			step: member.Drain},
		{name: "and too often", o: draining(service("web"), long, sentBefore, askedToStop(grace)), step: member.MarkDrained},
		{name: "not refused, for want of a turn", o: draining(service("web"), long, sentBefore, askedToStop(29*time.Minute),
			func(o *nodestate.State) { o.Stop.Refused = time.Time{} }), step: member.Drain},
		{name: "nor in half an hour", o: draining(service("web"), long, sentBefore, askedToStop(30*time.Minute),
			func(o *nodestate.State) { o.Stop.Refused = time.Time{} }), step: member.MarkDrained},
		{name: "before Nomad was away", o: draining(service("web"), long, sentBefore, askedToStop(10*time.Minute),
			recovered(grace-time.Second)), step: member.Drain},
		{name: "for half an hour in all", o: draining(service("web"), long, sentBefore, askedToStop(30*time.Minute),
			recovered(0)), step: member.MarkDrained},
	})
}

// Somebody who sets the deadline to a time that is over has Nomad stop what is left, though it was sent another one.
func TestDeadlineIsBroughtForward(t *testing.T) {
	to := func(d time.Duration) change {
		return func(o *nodestate.State) {
			moved := o.Node.Drain.DeepCopy()
			moved.DeadlineTime = metav1.NewTime(o.Now.Add(d))
			o.Node.Drain = moved
		}
	}
	sent := drainAccepted(0, 0)
	runSteps(t, []stepCase{
		{name: "to the time of the request", o: draining(service("web"), sent, later(5*time.Minute), to(-6*time.Minute)),
			step: member.Drain},
		{name: "by another process", o: draining(service("web"), later(5*time.Minute), to(-6*time.Minute)),
			step: member.Drain},
		{name: "to a time that is over", o: draining(service("web"), sent, later(5*time.Minute), to(-2*time.Minute)),
			step: member.Drain},
		{name: "to now", o: draining(service("web"), sent, later(5*time.Minute), to(0)), step: member.Wait, wake: overrun},
	})
}

// live decides for a member again and again until it is drained, and returns how long that took and how many drains
// were sent. Each time is what happens before that.
func live(t *testing.T, o nodestate.State, sends, eachTime func(*nodestate.State)) (time.Duration, int) {
	t.Helper()
	began, drains := o.Now, 0
	for o.Now.Sub(began) < 2*time.Hour {
		eachTime(&o)
		d := decide(o)
		o.Node.ForcedTime = d.ForcedTime
		switch {
		case d.Step == member.MarkDrained:
			return o.Now.Sub(began), drains
		case d.Step == member.Drain:
			drains++
			sends(&o)
			o.Now = o.Now.Add(200 * time.Millisecond)
		case d.Step == member.ExtendDrain:
			t.Fatal("it is given more time")
		case d.Wake <= 0:
			t.Fatalf("%s, and wakes in %s", d.Step, d.Wake)
		default:
			o.Now = o.Now.Add(min(d.Wake, time.Second))
		}
	}
	t.Fatalf("it isn't drained after %s, and %d drains were sent", o.Now.Sub(began), drains)
	return 0, 0
}

// Whatever Nomad and others do, a forced drain ends, and it isn't sent all the time.
func TestDrainThatRunsOnEnds(t *testing.T) {
	leaderChanges := func(o *nodestate.State) {
		if o.Now.Sub(o.NomadRecovered) >= 30*time.Second {
			o.NomadRecovered = o.Now
		}
	}
	restarts := func(o *nodestate.State) {
		if o.Now.Sub(o.NomadRecovered) >= 20*time.Second {
			o.NomadRecovered, o.Drain, o.Stop = o.Now, nodestate.Accepted{}, nodestate.Stop{}
		}
	}
	updated := func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now }
	begunAgain := func(o *nodestate.State) { o.Nomad.DrainStarted = o.Now.Truncate(time.Minute) }
	inTime := func(o *nodestate.State) { o.Drain = nodestate.Accepted{First: o.Now, Last: o.Now} }
	undone := func(o *nodestate.State) { o.Nomad.Draining = false }
	nothing := func(*nodestate.State) {}
	policyNotShown := func(o *nodestate.State) { o.Nomad.DrainOnTimeout = "Retain" }
	for name, c := range map[string]struct {
		o               nodestate.State
		sends, eachTime func(*nodestate.State)
		time            time.Duration
		drains          int
	}{
		"accepted":                            {draining(service("web"), overdue(0), sentBefore), accepts, nothing, grace + overrun, 1},
		"a day late, and unknown till then":   {draining(service("web"), overdue(24*time.Hour), sentBefore), accepts, restarts, grace, 1},
		"the process restarts":                {draining(service("web"), overdue(0), sentBefore), accepts, restarts, grace + overrun, 1},
		"refused":                             {draining(service("web"), overdue(0), sentBefore), refuses, nothing, grace + overrun, 8},
		"refused, of somebody else's":         {draining(service("web"), overdue(0), sentBefore, othersDrain), refuses, nothing, grace, 9},
		"refused, and its policy isn't shown": {draining(service("web"), overdue(0), sentBefore, policyNotShown), refuses, nothing, grace, 9},
		"refused, and canceled":               {draining(service("web"), overdue(0), sentBefore, undone), refuses, nothing, grace, 9},
		"refused, and updated all the time":   {draining(service("web"), overdue(0), sentBefore), refuses, updated, 2*grace + overrun, 8},
		"updated all the time, and down":      {draining(service("web"), overdue(0), sentBefore, nodeDown), refuses, updated, grace, 0},
		"somebody else's begins anew, after ours": {draining(service("web"), othersDrain, inTime), accepts, begunAgain,
			14*time.Minute + grace, 1},
		"refused while leaders change": {draining(service("web"), overdue(0), sentBefore), refuses, leaderChanges, 30 * time.Minute, 350},
		"somebody else's comes back":   {draining(service("web"), overdue(0), sentBefore, othersDrain), accepts, nothing, grace, 1},
		"its policy isn't shown":       {draining(service("web"), overdue(0), sentBefore, policyNotShown), accepts, nothing, grace, 1},
		"nor is it before the deadline": {draining(service("web"), overdue(-10*time.Minute), policyNotShown), accepts, nothing,
			10*time.Minute + grace, 60},
	} {
		t.Run(name, func(t *testing.T) {
			took, drains := live(t, c.o, c.sends, c.eachTime)
			if took < c.time-2*time.Second || took > c.time+20*time.Second || drains > c.drains {
				t.Errorf("it took %s (want %s), and %d drains (at most %d)", took, c.time, drains, c.drains)
			}
		})
	}
}

// Of an empty member Nomad needs to be asked nothing, whatever it shows of a policy that has changed.
func TestEmptyMemberWhosePolicyIsNotShownGoes(t *testing.T) {
	for name, o := range map[string]nodestate.State{
		"Force":  with(draining(nil), func(o *nodestate.State) { o.Nomad.DrainOnTimeout = "Retain" }),
		"Retain": with(draining(nil, retain), func(o *nodestate.State) { o.Nomad.DrainOnTimeout = "Force" }),
	} {
		if d := decide(o); d.Step != member.MarkDrained {
			t.Errorf("%s: %s", name, d.Step)
		}
	}
}

// The time that is said for the end of a drain is to come.
func TestSaidEndOfADrainIsToCome(t *testing.T) {
	stamps := regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)
	for name, o := range map[string]nodestate.State{
		"looked at late":   draining(service("web"), overdue(time.Hour), sentBefore),
		"refused":          draining(service("web"), overdue(time.Hour), sentBefore, askedToStop(20*time.Second)),
		"accepted":         draining(service("web"), overdue(time.Hour), sentBefore, accepts),
		"Retain until now": draining(service("web"), overdue(time.Hour), sentBefore, func(o *nodestate.State) { o.Nomad.DrainOnTimeout = "Retain" }),
	} {
		message := decide(o).Conditions[v1alpha1.NodeDrainCompleted].Message
		for _, stamp := range stamps.FindAllString(message, -1) {
			if at, err := time.Parse(time.RFC3339, stamp); err != nil || at.Before(o.Now) {
				t.Errorf("%s: it is %s: %q", name, o.Now.Format(time.RFC3339), message)
			}
		}
	}
}
