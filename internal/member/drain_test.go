package member_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

const grace = member.ForceGrace

func TestDrainInOrder(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "eligible", o: requested(), step: member.Cordon},
		{name: "ineligible", o: requested(cordoned), step: member.Drain},
		{name: "sent, allocations not read yet", o: draining(nil, func(o *nodestate.State) { o.Nomad.LiveKnown = false }),
			step: member.Wait, wake: time.Second},
		{name: "allocations left", o: draining(service("web")), step: member.Wait, wake: 14 * time.Minute},
		{name: "empty", o: draining(nil), step: member.MarkDrained},
		{name: "complete and empty", o: draining(nil, complete), step: member.MarkDrained},
		{name: "complete, but allocations still run", o: draining(service("web"), complete), step: member.Wait,
			wake: 14 * time.Minute},
		{name: "open for ever, but empty", o: draining(nil, later(5*time.Minute)), step: member.MarkDrained},
		{name: "made eligible by somebody",
			o:    draining(service("web"), func(o *nodestate.State) { o.Nomad.Eligible, o.Nomad.Draining = true, false }),
			step: member.Cordon},
		{name: "made eligible after it was drained: there may be new work",
			o: draining(service("web"), complete, func(o *nodestate.State) { o.Nomad.Eligible = true }), step: member.Drain},
		{name: "node down: Nomad completes it", o: requested(cordoned, func(o *nodestate.State) { o.Nomad.Status = "down" }),
			step: member.Drain},
		{name: "lost allocations count until they end",
			o: draining(service("web"), func(o *nodestate.State) { o.Nomad.Status = "disconnected" }), step: member.Wait,
			wake: 14 * time.Minute},
	})
}

func complete(o *nodestate.State) { o.Nomad.Draining, o.Nomad.DrainCompleted = false, true }

func TestDrainIsSentOncePerRequest(t *testing.T) {
	lastDrain := func(id string, complete bool) change {
		return func(o *nodestate.State) {
			o.Nomad.Draining, o.Nomad.DrainID, o.Nomad.DrainCompleted = false, id, complete
		}
	}
	runSteps(t, []stepCase{
		{name: "complete under this request", o: draining(service("web"), lastDrain(drainID, true)), step: member.Wait,
			wake: 14 * time.Minute},
		{name: "complete under an older request", o: draining(service("web"), lastDrain("request-0", true)),
			step: member.Drain},
		{name: "canceled in Nomad by somebody", o: draining(service("web"), lastDrain(drainID, false)), step: member.Drain},
		{name: "complete by somebody else's request", o: draining(service("web"), lastDrain("", true)), step: member.Drain},
		{name: "somebody else's drain serves as well", o: draining(service("web"), othersDrain), step: member.Wait,
			wake: 14 * time.Minute},
	})
}

func othersDrain(o *nodestate.State) { o.Nomad.DrainID = "" }

func TestDeadline(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "force: tasks get time to stop", o: draining(service("web"), overdue(0)), step: member.Wait, wake: grace},
		{name: "force: a moment before the end", o: draining(service("web"), overdue(grace-time.Second)), step: member.Wait,
			wake: time.Second},
		{name: "force: over", o: draining(service("web"), overdue(grace)), step: member.MarkDrained},
		{name: "force: tasks get what they were promised", o: draining(service("web"), overdue(grace), stops(10*time.Minute)),
			step: member.Wait, wake: 10*time.Minute + 10*time.Second - grace},
		{name: "force: and no more",
			o:    draining(service("web"), overdue(10*time.Minute+10*time.Second), stops(10*time.Minute)),
			step: member.MarkDrained},
		{name: "force: promised less than usual", o: draining(service("web"), overdue(grace-time.Second), stops(time.Second)),
			step: member.Wait, wake: time.Second},
		{
			name: "force: sent late, counted from then",
			o: draining(service("web"), overdue(time.Hour),
				func(o *nodestate.State) { o.Nomad.DrainStarted = o.Now.Add(-time.Second) }),
			step: member.Wait,
			wake: grace - time.Second,
		},
		{name: "force: somebody else's drain doesn't know of it", o: draining(service("web"), othersDrain, overdue(0)),
			step: member.Drain},
		{name: "force: somebody else's drain, empty", o: draining(nil, othersDrain, overdue(0)), step: member.MarkDrained},
		{name: "retain: before", o: draining(service("web"), retain), step: member.Wait, wake: 14 * time.Minute},
		{name: "retain: after, for as long as it takes", o: draining(service("web"), retain, overdue(time.Hour)),
			step: member.Wait},
		{name: "retain: somebody else's drain is left alone",
			o: draining(service("web"), retain, othersDrain, overdue(time.Hour)), step: member.Wait},
		{name: "retain: empty in the end", o: draining(nil, retain, overdue(time.Hour)), step: member.MarkDrained},
	})
	for _, c := range []struct {
		o         nodestate.State
		unchecked bool
		reason    string
	}{
		{draining(nil), false, v1alpha1.ReasonEmpty},
		{draining(nil, retain, overdue(time.Hour)), false, v1alpha1.ReasonEmpty},
		{draining(service("web"), overdue(grace)), true, v1alpha1.ReasonDeadline},
		{booting(requesting), false, v1alpha1.ReasonNeverJoined},
		{booting(requesting, noVM), true, v1alpha1.ReasonVMGone},
		{requested(notInNomad, overdue(grace)), false, v1alpha1.ReasonEmpty},
		{requested(notInNomad, noInstance), false, v1alpha1.ReasonEmpty},
		{fresh(requesting), true, v1alpha1.ReasonNeverJoined},
		{fresh(requesting, nomadUnknown), true, v1alpha1.ReasonNeverJoined},
		{requested(noVM, nomadUnknown), true, v1alpha1.ReasonVMGone},
	} {
		d := decide(c.o)
		if d.Step != member.MarkDrained || d.Unchecked != c.unchecked || string(d.Drained.Result) != c.reason ||
			d.Drained.Message == "" {
			t.Errorf("got %s unchecked=%t %+v, want unchecked=%t %s", d.Step, d.Unchecked, d.Drained, c.unchecked, c.reason)
		}
	}
}

func TestDrainWhoseAllocationsCantBeListed(t *testing.T) {
	waitingToStop := func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now.Add(-time.Second) }
	runSteps(t, []stepCase{
		{name: "not read yet", o: draining(nil, allocationsUnknown("")), step: member.Wait, wake: time.Second},
		{name: "can't be read", o: draining(nil, allocationsUnknown("no answer in time")), step: member.Wait,
			wake: 15 * time.Second},
		{name: "force: Nomad stops the tasks at the deadline", o: draining(nil, allocationsUnknown("500"), overdue(0)),
			step: member.Wait,
			wake: 15 * time.Second},
		{name: "force: a moment before the end", o: draining(nil, allocationsUnknown("500"), overdue(grace-time.Second)),
			step: member.Wait, wake: time.Second},
		{name: "force: over", o: draining(nil, allocationsUnknown("500"), overdue(grace)), step: member.MarkDrained},
		{name: "force: sent late, counted from then",
			o:    draining(nil, allocationsUnknown("500"), overdue(time.Hour), waitingToStop),
			step: member.Wait, wake: 15 * time.Second},
		{name: "force: somebody else's drain doesn't know of the deadline",
			o: draining(nil, allocationsUnknown("500"), othersDrain, overdue(time.Hour)), step: member.Drain},
		{name: "force: somebody else's drain, before the deadline", o: draining(nil, allocationsUnknown("500"), othersDrain),
			step: member.Wait, wake: 15 * time.Second},
		{name: "force: deleted", o: draining(nil, allocationsUnknown("500"), deleted, overdue(grace)),
			step: member.MarkDrained},
		{name: "retain: for as long as it takes", o: draining(nil, allocationsUnknown("500"), retain, deleted,
			overdue(100*time.Hour)),
			step: member.Wait, wake: 15 * time.Second},
	})
	if d := decide(draining(nil, allocationsUnknown("500"), overdue(grace))); !d.Unchecked || d.Late ||
		d.Drained.Result != v1alpha1.DrainDeadlinePassed {
		t.Errorf("got %+v", d)
	}
}

// Somebody changes onTimeout while the member drains: then Nomad has to learn of it.
func TestChangeOfOnTimeoutReachesNomad(t *testing.T) {
	sent := func(a v1alpha1.DrainTimeoutAction) change {
		return func(o *nodestate.State) { o.Nomad.DrainOnTimeout = a }
	}
	sentForce, sentRetain := sent(v1alpha1.DrainForce), sent(v1alpha1.DrainRetain)
	vmDeletedByOthers := func(o *nodestate.State) { o.Node.Drain.Reason = v1alpha1.DrainVMDeleted }
	updated := func(ago time.Duration) change {
		return func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now.Add(-ago) }
	}
	wait := 14 * time.Minute
	runSteps(t, []stepCase{
		{name: "force, as sent", o: draining(service("web"), sentForce), step: member.Wait, wake: wait},
		{name: "retain, as sent", o: draining(service("web"), sentRetain, retain), step: member.Wait, wake: 14 * time.Minute},
		{name: "sent by an older version", o: draining(service("web")), step: member.Wait, wake: wait},
		{name: "to force, before the deadline", o: draining(service("web"), sentRetain), step: member.Drain},
		{name: "to force, after it", o: draining(service("web"), sentRetain, overdue(time.Hour), sentBefore), step: member.Drain},
		{name: "to force, and sent so: tasks get time to stop",
			o: draining(service("web"), sentForce, overdue(time.Hour), updated(time.Second)), step: member.Wait,
			wake: grace - time.Second},
		{name: "to force, Nomad has stopped them: they get time",
			o: draining(service("web"), sentForce, complete, overdue(time.Hour), updated(time.Second)), step: member.Wait,
			wake: grace - time.Second},
		{name: "to force, over", o: draining(service("web"), sentForce, complete, overdue(time.Hour), updated(grace)),
			step: member.MarkDrained},
		{name: "to retain, before the deadline", o: draining(service("web"), sentForce, retain), step: member.Drain},
		{name: "to retain, too late: Nomad is done", o: draining(service("web"), sentForce, retain, complete, overdue(0)),
			step: member.Wait},
		{name: "somebody else's drain", o: draining(service("web"), othersDrain, retain), step: member.Wait,
			wake: 14 * time.Minute},
		{name: "the VM is deleted: sent with a deadline whatever the policy",
			o: draining(service("web"), vmDeletedByOthers, sentForce, retain), step: member.Wait, wake: 14 * time.Minute},
	})
}

// Somebody changes ignoreSystemJobs while the member drains. A drain that ignored system jobs is complete while they
// run.
func TestChangeOfIgnoreSystemJobsReachesNomad(t *testing.T) {
	sent := func(ignore bool) change {
		return func(o *nodestate.State) {
			o.Nomad.DrainOnTimeout, o.Nomad.DrainIgnoreSystemJobs = v1alpha1.DrainForce, ignore
		}
	}
	wait := 14 * time.Minute
	runSteps(t, []stepCase{
		{name: "ignored, as sent", o: draining(service("web"), sent(true), ignoreSystem), step: member.Wait, wake: wait},
		{name: "to ignore", o: draining(service("web"), sent(false), ignoreSystem), step: member.Drain},
		{name: "not to ignore", o: draining(service("web"), sent(true)), step: member.Drain},
		{name: "not to ignore, complete", o: draining(system("dns"), sent(true), complete), step: member.Drain},
		{name: "to ignore, complete", o: draining(system("dns"), sent(false), complete, ignoreSystem),
			step: member.MarkDrained},
		{name: "not to ignore, and sent so", o: draining(service("web"), sent(false)), step: member.Wait, wake: wait},
		{name: "somebody else's drain", o: draining(service("web"), othersDrain, sent(true)), step: member.Wait, wake: wait},
	})
}

// A client that lives registers again, with its allocations.
func TestNodeThatNomadHasForgottenIsWaitedFor(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "its guest runs", o: requested(notInNomad), step: member.Wait, wake: 14*time.Minute + grace},
		{name: "retain: for as long as its guest runs", o: requested(notInNomad, retain, overdue(100*time.Hour)),
			step: member.Wait},
		{name: "retain: no guest runs", o: requested(notInNomad, retain, noInstance), step: member.MarkDrained},
		{
			name: "retain: its VM was deleted by somebody",
			o: requested(notInNomad, retain, overdue(grace),
				func(o *nodestate.State) { o.Node.Drain.Reason = v1alpha1.DrainVMDeleted }),
			step: member.MarkDrained,
		},
		{name: "a moment before the end", o: requested(notInNomad, overdue(grace-time.Second)), step: member.Wait,
			wake: time.Second},
		{name: "until the deadline", o: requested(notInNomad, overdue(grace)), step: member.MarkDrained},
		{name: "no guest runs", o: requested(notInNomad, noInstance), step: member.MarkDrained},
		{name: "it never joined", o: booting(requesting), step: member.MarkDrained},
	})
}

// requesting requests the drain of any member.
func requesting(o *nodestate.State) { o.Node.Drain = requested().Node.Drain }

func TestUnknownIsNotDown(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "before the cordon", o: requested(nomadUnknown), step: member.Wait, wake: 15 * time.Second},
		{name: "looks empty", o: draining(nil, nomadUnknown), step: member.Wait, wake: 15 * time.Second},
		{name: "long after the deadline", o: draining(service("web"), nomadUnknown, overdue(time.Hour)), step: member.Wait,
			wake: 15 * time.Second},
		{name: "deleted, deadline to come", o: draining(nil, nomadUnknown, deleted), step: member.Wait,
			wake: 15 * time.Second},
		{name: "deleted, within the grace", o: draining(nil, nomadUnknown, deleted, overdue(grace-time.Second)),
			step: member.Wait, wake: time.Second},
		{name: "deleted, deadline passed: ends all the same", o: draining(nil, nomadUnknown, deleted, overdue(grace)),
			step: member.MarkDrained},
		{name: "deleted, but retained", o: draining(nil, nomadUnknown, deleted, retain, overdue(time.Hour)),
			step: member.Wait, wake: 15 * time.Second},
		{name: "no guest runs: nothing to ask", o: requested(noVM, nomadUnknown), step: member.MarkDrained},
		{name: "VM deleted by somebody, guest stopping", o: requested(vmDeleting, nomadUnknown), step: member.Wait,
			wake: 15 * time.Second},
		{name: "VM deleted by somebody, guest stopped", o: requested(vmDeleting, noInstance, nomadUnknown),
			step: member.MarkDrained},
		{name: "halted: it may be started again", o: requested(noInstance, nomadUnknown), step: member.Wait,
			wake: 15 * time.Second},
	})
	runSteps(t, []stepCase{
		{name: "deleted, deadline passed while the controller was away: Nomad is asked first",
			o: draining(nil, notAsked, deleted, overdue(time.Hour)), step: member.Wait, wake: 15 * time.Second},
		{name: "no guest runs: nothing to ask, not even once", o: requested(noVM, notAsked), step: member.MarkDrained},
	})
	d := decide(draining(nil, nomadUnknown, deleted, overdue(grace)))
	if !d.Unchecked || !d.Late || d.Drained.Result != v1alpha1.DrainDeadlinePassed {
		t.Errorf("a deletion that ends without Nomad must be marked as such: %+v", d)
	}
}

func TestSiblingsAreWaitedForButNotForLong(t *testing.T) {
	siblings := func(o *nodestate.State) { o.SiblingsEligible = true }
	just := func(o *nodestate.State) {
		o.Node.Drain = drainRequest(o.Now.Add(-4*time.Second), o.Now.Add(15*time.Minute))
	}
	runSteps(t, []stepCase{
		{name: "itself first", o: requested(just, siblings), step: member.Cordon},
		{name: "then it polls: no event tells when they are", o: requested(just, siblings, cordoned),
			step: member.Wait, wake: time.Second},
		{name: "for a moment yet", o: requested(just, siblings, cordoned, later(5500*time.Millisecond)), step: member.Wait,
			wake: 500 * time.Millisecond},
		{name: "all ineligible", o: requested(just, cordoned), step: member.Drain},
		{name: "timeout over", o: requested(just, siblings, cordoned, later(6*time.Second)), step: member.Drain},
		{name: "is draining already", o: draining(service("web"), just, siblings), step: member.Wait,
			wake: 15 * time.Minute},
	})
}

func TestStalledDrainIsResentOnce(t *testing.T) {
	since := func(ago time.Duration) change {
		return func(o *nodestate.State) { o.Node.OnlySystemTime = o.Now.Add(-ago) }
	}
	long := since(time.Minute)
	resent := func(id string) change { return func(o *nodestate.State) { o.Node.Resent = id } }
	ignoreSystem := func(o *nodestate.State) { o.Node.Policy.IgnoreSystemJobs = true }
	stalled := system("logs")
	wait := 14 * time.Minute
	runSteps(t, []stepCase{
		{name: "the last other one has just ended, of a drain that began long ago", o: draining(stalled), step: member.Wait,
			wake: 5 * time.Second},
		{name: "Nomad gets a moment", o: draining(stalled, since(2*time.Second)), step: member.Wait, wake: 3 * time.Second},
		{name: "stalled", o: draining(stalled, since(5*time.Second)), step: member.ResendDrain},
		{name: "stalled under retain", o: draining(stalled, retain, long), step: member.ResendDrain},
		{name: "resent: never again", o: draining(stalled, resent(drainID)), step: member.Wait, wake: wait},
		{name: "a former request's drain was resent", o: draining(stalled, resent("request-0"), long),
			step: member.ResendDrain},
		{name: "work is left", o: draining(append(service("web"), stalled...)), step: member.Wait, wake: wait},
		{name: "complete: they are stopping", o: draining(stalled, complete), step: member.Wait, wake: wait},
		{name: "somebody else's drain isn't resent", o: draining(stalled, othersDrain), step: member.Wait, wake: wait},
		{name: "somebody else's drain, retained past our deadline",
			o:    draining(stalled, othersDrain, retain, overdue(0), long),
			step: member.ResendDrain},
		{name: "system jobs ignored: it is empty", o: draining(stalled, ignoreSystem), step: member.MarkDrained},
		{name: "system jobs ignored: work is left", o: draining(append(service("web"), stalled...), ignoreSystem),
			step: member.Wait, wake: wait},
		{name: "not resent past the end", o: draining(stalled, overdue(grace)), step: member.MarkDrained},
	})
}

func TestOnlySystemTime(t *testing.T) {
	was := func(o *nodestate.State) { o.Node.OnlySystemTime = now.Add(-time.Minute) }
	for _, c := range []struct {
		name string
		o    nodestate.State
		want time.Time
	}{
		{"for the first time, to the second", draining(system("logs"), later(300*time.Millisecond)), now},
		{"since a while", draining(system("logs"), was), now.Add(-time.Minute)},
		{"something else as well", draining(append(service("web"), system("logs")...), was), time.Time{}},
		{"nothing", draining(nil, was), time.Time{}},
		{"it isn't known", draining(system("logs"), was, allocationsUnknown("500")), now.Add(-time.Minute)},
		{"Nomad is unknown", draining(system("logs"), was, nomadUnknown), now.Add(-time.Minute)},
		{"the drain is complete", draining(system("logs"), was, complete), time.Time{}},
		{"canceled", draining(system("logs"), was, canceled), time.Time{}},
		{"drained", removing(was), time.Time{}},
		{"wanted", steady(was), time.Time{}},
	} {
		if got := decide(c.o).OnlySystemTime; !got.Equal(c.want) {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBlockingNamesSome(t *testing.T) {
	o := draining(append(service("a", "b", "c"), system("s")...))
	for _, c := range []struct {
		max          int
		ignoreSystem bool
		want         []string
	}{
		{5, false, []string{"a", "b", "c", "s"}},
		{4, false, []string{"a", "b", "c", "s"}},
		{2, false, []string{"a", "b", "and 2 more"}},
		{2, true, []string{"a", "b", "and 1 more"}},
		{3, true, []string{"a", "b", "c"}},
	} {
		o.Node.Policy.IgnoreSystemJobs = c.ignoreSystem
		if got := member.Blocking(o, c.max); !slices.Equal(got, c.want) {
			t.Errorf("at most %d, ignoring system jobs %t: got %q, want %q", c.max, c.ignoreSystem, got, c.want)
		}
	}
	if got := member.Blocking(steady(), 3); got != nil {
		t.Errorf("nothing blocks, got %q", got)
	}
}

// stops sets how long the remaining allocations were promised to stop.
func stops(d time.Duration) func(*nodestate.State) {
	return func(o *nodestate.State) { o.Nomad.StopTime = &d }
}

func TestCutOffAllocationsAreNamed(t *testing.T) {
	d := decide(draining(service("web"), overdue(grace)))
	if want := "onTimeout is Force. Cut off: web."; !strings.Contains(d.Drained.Message, want) {
		t.Errorf("%q doesn't say %q", d.Drained.Message, want)
	}
}

// The controller asks once what tasks were promised, and again when it waits for them to stop.
func TestStopTimeIsAsked(t *testing.T) {
	web := service("web")
	notKnown := func(o *nodestate.State) { o.Node.StopTime = nil }
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"once the node takes no more work": {draining(web, notKnown), true},
		"known":                            {draining(web), false},
		"past the deadline":                {draining(web, overdue(0)), true},
		"allocations not listed":           {draining(nil, notKnown, allocationsUnknown("500")), true},
		"retained":                         {draining(web, notKnown, retain), false},
		"nothing is left":                  {draining(nil, notKnown), false},
		"eligible yet":                     {requested(), false},
		"not in Nomad":                     {requested(notInNomad), false},
		"canceled":                         {draining(web, notKnown, canceled), false},
		"deleted, without a request yet": {draining(web, overdue(0),
			func(o *nodestate.State) { o.Node.Drain, o.Node.DeletedAt = nil, o.Now }), false},
	} {
		if got := member.AsksStopTime(c.o); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// A failure to ask for it doesn't shorten the time that tasks were promised. The author of a job, or Nomad's clock,
// can't extend it for ever.
func TestPromisedTimeToStop(t *testing.T) {
	hour, promised := time.Hour, 10*time.Minute
	end := promised + 10*time.Second
	was := func(o *nodestate.State) { o.Node.StopTime = &promised }
	notKnown := func(o *nodestate.State) { o.Node.StopTime = nil }
	isDown := func(o *nodestate.State) { o.Nomad.Status = "down" }
	ahead := func(d time.Duration) change { return func(o *nodestate.State) { o.Nomad.DrainUpdated = o.Now.Add(d) } }
	runSteps(t, []stepCase{
		{name: "no answer now, but before", o: draining(service("web"), was, overdue(grace)), step: member.Wait,
			wake: end - grace},
		{name: "allocations not listed, but an answer before",
			o:    draining(nil, was, allocationsUnknown("500"), overdue(end-time.Second)),
			step: member.Wait, wake: time.Second},
		{name: "Nomad is unknown, deleted", o: draining(nil, was, nomadUnknown, deleted, overdue(end-time.Second)),
			step: member.Wait, wake: time.Second},
		{name: "Nomad is unknown, deleted, over", o: draining(nil, was, nomadUnknown, deleted, overdue(end)),
			step: member.MarkDrained},
		{name: "not in Nomad any more", o: draining(nil, was, notInNomad, overdue(end-time.Second)), step: member.Wait,
			wake: time.Second},
		{name: "never an answer, before the deadline: asked by then", o: draining(service("web"), notKnown),
			step: member.Wait, wake: 14 * time.Minute},
		{name: "never an answer: asked again", o: draining(service("web"), notKnown, overdue(grace)), step: member.Wait,
			wake: 15 * time.Second},
		{name: "never an answer, over", o: draining(service("web"), notKnown, overdue(member.MaxGrace)),
			step: member.MarkDrained},
		{name: "never an answer, and allocations not listed", o: draining(nil, notKnown, allocationsUnknown("500"),
			overdue(member.MaxGrace-time.Second)), step: member.Wait, wake: time.Second},
		{name: "never an answer, Nomad is unknown, deleted: nobody stops anything",
			o: draining(nil, notKnown, nomadUnknown, deleted, overdue(grace)), step: member.MarkDrained},
		{name: "promised too much", o: draining(service("web"), stops(hour), overdue(grace)), step: member.Wait,
			wake: member.MaxGrace - grace},
		{name: "promised too much, over", o: draining(service("web"), stops(hour), overdue(member.MaxGrace)),
			step: member.MarkDrained},
		{name: "the node is down", o: draining(service("web"), stops(hour), isDown, overdue(grace)),
			step: member.MarkDrained},
		{name: "no guest runs", o: draining(service("web"), stops(hour), noInstance, overdue(grace)),
			step: member.MarkDrained},
		{name: "Nomad's clock is a little ahead", o: draining(service("web"), overdue(hour), ahead(time.Second)),
			step: member.Wait, wake: grace + time.Second},
		{name: "Nomad's clock is years ahead", o: draining(service("web"), overdue(hour), ahead(10000*time.Hour)),
			step: member.MarkDrained},
	})
}

// An operator can read when a forced drain ends.
func TestEndOfForcedDrainIsReported(t *testing.T) {
	d := decide(draining(service("web"), overdue(0)))
	at := now.Add(14*time.Minute + grace).Format(time.RFC3339)
	if m := d.Conditions[v1alpha1.NodeDrainCompleted].Message; !strings.Contains(m, "Waiting for web. ") ||
		!strings.Contains(m, at) {
		t.Errorf("%q doesn't say %s", m, at)
	}
	if m := decide(draining(service("web"))).Conditions[v1alpha1.NodeDrainCompleted].Message; m != "Waiting for web." {
		t.Errorf("before the deadline: %q", m)
	}
}

// The command that the condition of a blocked drain suggests ends the drain, and doesn't shorten the time to stop.
func TestDeadlineInThePastEndsABlockedDrain(t *testing.T) {
	long := 5 * time.Minute
	o := draining(nil, nomadUnknown, deleted, func(o *nodestate.State) {
		o.Node.StopTime = &long
		o.Node.Drain = drainRequest(now.Add(-2*time.Minute), now.Add(-time.Minute))
	})
	if d := member.Next(o); d.Step != member.Wait {
		t.Errorf("its tasks' time isn't over: %s", d.Step)
	}
	if d := member.Next(with(o, later(long))); d.Step != member.MarkDrained || !d.Late {
		t.Errorf("got %+v", d)
	}
}

// A member that was drained, whose NomadNode the controller deleted, and that has got work since, is drained once more.
// Nobody asked for its deletion, so it waits for a Nomad that can't be asked, unless its pool is deleted.
func TestReopenedMemberWaitsForNomad(t *testing.T) {
	reopened := func(o *nodestate.State) { deleted(o); o.Node.DeletedByController = true }
	runSteps(t, []stepCase{
		{name: "the controller deleted it", o: requested(nomadUnknown, overdue(time.Hour), reopened), step: member.Wait,
			wake: 15 * time.Second},
		{name: "its pool is deleted", o: requested(nomadUnknown, overdue(time.Hour), reopened, poolDeleted),
			step: member.MarkDrained},
		{name: "somebody deleted it", o: requested(nomadUnknown, overdue(time.Hour), deleted), step: member.MarkDrained},
	})
	if o := requested(nomadUnknown, reopened); !member.NeedsPool(o) {
		t.Error("it isn't known if its pool is deleted")
	}
}

// Under Empty nobody leaves who has work, and a node that is disconnected may have some.
func TestDisconnectedNodeIsCheckedAgain(t *testing.T) {
	for status, want := range map[string]bool{"ready": true, "disconnected": true, "initializing": true, "down": false} {
		o := requested(cordoned, onlyIf(v1alpha1.Empty), func(o *nodestate.State) { o.Nomad.Status = status })
		if got := member.Rechecks(o); got != want {
			t.Errorf("%s: %t", status, got)
		}
	}
}
