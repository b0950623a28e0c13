package member_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	intentID    = "intent-1"
	joinTimeout = 10 * time.Minute
)

// change alters an observation; nil: leaves it.
type change func(*member.Observed)

// with is base and then changes.
func with(base member.Observed, changes ...change) member.Observed {
	for _, c := range changes {
		if c != nil {
			c(&base)
		}
	}
	return base
}

// fresh is a member of which nothing but the record exists.
func fresh(changes ...change) member.Observed {
	return with(member.Observed{
		Now: now, PurgePatience: 10 * time.Minute,
		Record: member.Record{
			Created: now.Add(-time.Minute), JoinTimeout: joinTimeout, Purge: true,
			Policy: v1alpha1.DrainPolicy{Deadline: metav1.Duration{Duration: 15 * time.Minute}, OnTimeout: v1alpha1.DrainForce},
		},
		Nomad: member.Nomad{Known: true},
	}, changes...)
}

// booting is a member whose guest runs and has not joined.
func booting(changes ...change) member.Observed {
	return with(fresh(func(o *member.Observed) {
		o.Record.ClaimsRecorded, o.Record.VMMade = true, true
		o.VM = member.VM{Exists: true, Ours: true, Status: "Running"}
		o.Instance = member.Instance{Exists: true, Running: true, Host: "host-1"}
	}), changes...)
}

// steady is a member that does what it should.
func steady(changes ...change) member.Observed {
	return with(booting(func(o *member.Observed) {
		o.Record.Joined = true
		o.Nomad = member.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true}
	}), changes...)
}

// ordered is a steady member that was ordered to leave a minute ago, and has 14 left.
func ordered(changes ...change) member.Observed {
	return with(steady(func(o *member.Observed) {
		o.Record.Drain = intent(now.Add(-time.Minute), now.Add(14*time.Minute))
	}), changes...)
}

// draining is an ordered member whose drain Nomad has, with allocations.
func draining(live []member.Allocation, changes ...change) member.Observed {
	return with(ordered(cordoned, func(o *member.Observed) {
		o.Nomad.Draining, o.Nomad.DrainIntent, o.Nomad.DrainStarted = true, intentID, now.Add(-time.Minute)
		o.Nomad.LiveKnown, o.Nomad.Live = true, live
		o.Record.StopTime = new(time.Duration(0))
	}), changes...)
}

// removing is a member that is drained and whose record is deleted.
func removing(changes ...change) member.Observed {
	return with(ordered(cordoned, deleted, func(o *member.Observed) {
		o.Record.Drained, o.Record.DrainedAt = true, now.Add(-time.Minute)
		o.Record.DrainedReason, o.Record.DrainedMessage = v1alpha1.ReasonEmpty, "No allocation is left on the Nomad node."
		o.Nomad.DrainIntent, o.Nomad.DrainCompleted = intentID, true
	}), changes...)
}

func intent(at, deadline time.Time) *v1alpha1.DrainIntent {
	return &v1alpha1.DrainIntent{ID: intentID, Reason: v1alpha1.DrainScaleIn, Time: metav1.NewTime(at), Deadline: metav1.NewTime(deadline)}
}

func ineligible(o *member.Observed)   { o.Nomad.Eligible = false }
func cordoned(o *member.Observed)     { o.Nomad.Eligible, o.Record.CordonedFor = false, intentID }
func retain(o *member.Observed)       { o.Record.Policy.OnTimeout = v1alpha1.DrainRetain }
func ignoreSystem(o *member.Observed) { o.Record.Policy.IgnoreSystemJobs = true }
func deleted(o *member.Observed)      { o.Record.DeletedAt = o.Now.Add(-time.Minute) }
func disowned(o *member.Observed)     { o.Disowned = true }
func noInstance(o *member.Observed)   { o.Instance = member.Instance{} }
func ended(o *member.Observed)        { o.Instance = member.Instance{Exists: true, Ended: true} }
func noVM(o *member.Observed)         { o.VM, o.Instance = member.VM{}, member.Instance{} }
func notInNomad(o *member.Observed)   { o.Nomad = member.Nomad{Known: true} }
func strangersVM(o *member.Observed) {
	o.VM, o.Instance = member.VM{Exists: true}, member.Instance{}
}
func vmDeleting(o *member.Observed) {
	o.VM.Deleting, o.VM.DeletingSince = true, o.Now.Add(-10*time.Second)
}
func halted(o *member.Observed) { o.VM.Halted = true }
func refused(o *member.Observed) {
	o.Refused = &condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: "may not delete virtualmachines"}
}
func vmOnlyGone(o *member.Observed) { o.VM = member.VM{} }

// going is when the instance has been deleted for so long.
func going(d time.Duration) change {
	return func(o *member.Observed) { o.Instance.DeletingSince = o.Now.Add(-d) }
}

// terminating is when two claims have been deleted for so long.
func terminating(d time.Duration) change {
	return func(o *member.Observed) {
		for _, name := range []string{"data", "root"} {
			o.Claims = append(o.Claims, member.Claim{Name: name, Deleting: true, DeletingSince: o.Now.Add(-d), Finalizers: []string{"kubernetes.io/pvc-protection"}})
		}
	}
}

func held(o *member.Observed) {
	o.VM.Held = &condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: "cpu insufficient resources due to resource quota"}
}

// leaves gives the reason for which an ordered member leaves.
func leaves(reason v1alpha1.DrainReason) change {
	return func(o *member.Observed) {
		d := o.Record.Drain.DeepCopy()
		d.Reason = reason
		o.Record.Drain = d
	}
}

func canceled(o *member.Observed) {
	d := o.Record.Drain.DeepCopy()
	d.Canceled = true
	o.Record.Drain = d
}

func justCanceled(o *member.Observed) { canceledAgo(3 * time.Second)(o) }

func canceledAgo(d time.Duration) change {
	return func(o *member.Observed) {
		in := o.Record.Drain.DeepCopy()
		in.Cancel(o.Now.Add(-d))
		o.Record.Drain = in
	}
}

// nomadUnknown leaves what was known before, because it is there to be ignored.
func nomadUnknown(o *member.Observed) {
	o.Nomad.Known, o.Nomad.Why = false, "Nomad doesn't answer."
}

// later moves the clock.
func later(d time.Duration) change { return func(o *member.Observed) { o.Now = o.Now.Add(d) } }

// overdue is when the deadline of an ordered member has passed by d.
func overdue(d time.Duration) change { return later(14*time.Minute + d) }

func service(names ...string) []member.Allocation {
	var out []member.Allocation
	for _, n := range names {
		out = append(out, member.Allocation{Name: n})
	}
	return out
}

func system(names ...string) []member.Allocation {
	out := service(names...)
	for i := range out {
		out[i].System = true
	}
	return out
}

// stepCase is an observation and the step that must follow.
type stepCase struct {
	name   string
	o      member.Observed
	step   member.Step
	reason v1alpha1.DrainReason // of RecordIntent
	wake   time.Duration
}

func runSteps(t *testing.T, cases []stepCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := member.Decide(c.o)
			if d.Step != c.step || d.Reason != c.reason || d.Wake != c.wake {
				t.Errorf("got %s (reason %q, wake %s), want %s (reason %q, wake %s)", d.Step, d.Reason, d.Wake, c.step, c.reason, c.wake)
			}
		})
	}
}

// notAsked is a Nomad that this process has not asked yet.
func notAsked(o *member.Observed) {
	o.Nomad.Known, o.Nomad.NotAsked, o.Nomad.Why = false, true, "Nomad has not answered yet."
}
