package member_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	drainID     = "request-1"
	joinTimeout = 10 * time.Minute
)

// decided is the next step, and the description until it is taken.
type decided struct {
	member.Decision
	member.Description
}

func decide(o nodestate.State) decided {
	return decided{member.Next(o), member.Describe(o, member.Outcome{})}
}

// change alters an observation; nil: it doesn't.
type change func(*nodestate.State)

// with returns base with changes.
func with(base nodestate.State, changes ...change) nodestate.State {
	for _, c := range changes {
		if c != nil {
			c(&base)
		}
	}
	return base
}

// fresh is a member of which only the NomadNode exists.
func fresh(changes ...change) nodestate.State {
	return with(nodestate.State{
		Now: now, PurgeTimeout: 10 * time.Minute,
		Node: nodestate.Node{Namespace: "pools", Name: "pool-1",
			Created: now.Add(-time.Minute), JoinTimeout: joinTimeout, Purge: true,
			Policy: v1alpha1.DrainPolicy{Deadline: metav1.Duration{Duration: 15 * time.Minute}, OnTimeout: v1alpha1.DrainForce}},
		Nomad: nodestate.Nomad{Known: true},
	}, changes...)
}

// booting is a member whose guest runs and has not joined.
func booting(changes ...change) nodestate.State {
	return with(fresh(func(o *nodestate.State) {
		o.Node.VMMade = true
		o.VM = nodestate.VM{Exists: true, Owned: true, Status: "Running"}
		o.Instance = nodestate.Instance{Exists: true, Running: true, Host: "host-1"}
	}), changes...)
}

// steady is a member that does what it should.
func steady(changes ...change) nodestate.State {
	return with(booting(func(o *nodestate.State) {
		o.Node.Joined = true
		o.Nomad = nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true}
	}), changes...)
}

// requested is a steady member whose drain was requested a minute ago, and that has 14 minutes left.
func requested(changes ...change) nodestate.State {
	return with(steady(func(o *nodestate.State) {
		o.Node.Drain = drainRequest(now.Add(-time.Minute), now.Add(14*time.Minute))
	}), changes...)
}

// draining is a requested member whose drain Nomad has, with allocations.
func draining(live []nodestate.Allocation, changes ...change) nodestate.State {
	return with(requested(cordoned, func(o *nodestate.State) {
		o.Nomad.Draining, o.Nomad.DrainID, o.Nomad.DrainStarted = true, drainID, now.Add(-time.Minute)
		o.Nomad.LiveKnown, o.Nomad.Live = true, live
		o.Node.StopTime = new(time.Duration(0))
	}), changes...)
}

// removing is a member that is drained and whose NomadNode is deleted.
func removing(changes ...change) nodestate.State {
	return with(requested(cordoned, deleted, func(o *nodestate.State) {
		o.Node.Drained, o.Node.DrainedAt = true, now.Add(-time.Minute)
		o.Node.DrainResult, o.Node.DrainedMessage = v1alpha1.DrainEmpty, "No allocation is left on the Nomad node."
		o.Nomad.DrainID, o.Nomad.DrainCompleted = drainID, true
	}), changes...)
}

func drainRequest(at, deadline time.Time) *v1alpha1.DrainRequest {
	return &v1alpha1.DrainRequest{ID: drainID, Reason: v1alpha1.DrainScaleIn, RequestTime: metav1.NewTime(at),
		DeadlineTime: metav1.NewTime(deadline)}
}

func ineligible(o *nodestate.State)   { o.Nomad.Eligible = false }
func cordoned(o *nodestate.State)     { o.Nomad.Eligible, o.Node.CordonedFor = false, drainID }
func retain(o *nodestate.State)       { o.Node.Policy.OnTimeout = v1alpha1.DrainRetain }
func ignoreSystem(o *nodestate.State) { o.Node.Policy.IgnoreSystemJobs = true }
func deleted(o *nodestate.State)      { o.Node.DeletedAt = o.Now.Add(-time.Minute) }
func poolDeleted(o *nodestate.State)  { o.PoolDeleted = true }
func noInstance(o *nodestate.State)   { o.Instance = nodestate.Instance{} }
func ended(o *nodestate.State)        { o.Instance = nodestate.Instance{Exists: true, Ended: true} }
func noVM(o *nodestate.State)         { o.VM, o.Instance = nodestate.VM{}, nodestate.Instance{} }
func notInNomad(o *nodestate.State)   { o.Nomad = nodestate.Nomad{Known: true} }
func elsewhere(o *nodestate.State) {
	o.Nomad = nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true,
		Misplaced: `node pool "prod", not "default"`}
}
func externalVM(o *nodestate.State) {
	o.VM, o.Instance = nodestate.VM{Exists: true}, nodestate.Instance{}
}
func vmDeleting(o *nodestate.State) {
	o.VM.Deleting, o.VM.DeletingSince = true, o.Now.Add(-20*time.Second)
}
func halted(o *nodestate.State) { o.VM.Halted = true }
func refused(o *nodestate.State) {
	o.Refused = &nodestate.Blocked{By: v1alpha1.BlockedByAdmission,
		Problem: condition.Problem{Reason: v1alpha1.ReasonAdmissionDenied, Message: "may not delete virtualmachines"}}
}
func vmOnlyGone(o *nodestate.State) { o.VM = nodestate.VM{} }

// going sets for how long the instance has been deleted.
func going(d time.Duration) change {
	return func(o *nodestate.State) { o.Instance.DeletingSince = o.Now.Add(-d) }
}

// terminating adds two claims that have been deleted for so long.
func terminating(d time.Duration) change {
	return func(o *nodestate.State) {
		for _, name := range []string{"data", "root"} {
			o.Claims = append(
				o.Claims,
				nodestate.Claim{Name: name, Deleting: true, DeletingSince: o.Now.Add(-d),
					Finalizers: []string{"kubernetes.io/pvc-protection"}},
			)
		}
	}
}

func deniedByQuota(o *nodestate.State) {
	o.VM.Denied = &nodestate.Blocked{
		By: v1alpha1.BlockedByQuota,
		Problem: condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded,
			Message: "cpu insufficient resources due to resource quota"},
	}
}

// leaves sets the reason for which a requested member leaves.
func leaves(reason v1alpha1.DrainReason) change {
	return func(o *nodestate.State) {
		d := o.Node.Drain.DeepCopy()
		d.Reason = reason
		o.Node.Drain = d
	}
}

func canceled(o *nodestate.State) { canceledAgo(30 * time.Second)(o) }

// canceledByHand cancels as somebody does with kubectl: without a time.
func canceledByHand(o *nodestate.State) {
	d := o.Node.Drain.DeepCopy()
	d.Canceled = true
	o.Node.Drain = d
}

func justCanceled(o *nodestate.State) { canceledAgo(3 * time.Second)(o) }

func canceledAgo(d time.Duration) change {
	return func(o *nodestate.State) {
		in := o.Node.Drain.DeepCopy()
		in.Cancel(o.Now.Add(-d))
		o.Node.Drain = in
	}
}

// nomadUnknown leaves what was known before, because a decision must ignore it.
func nomadUnknown(o *nodestate.State) {
	o.Nomad.Known, o.Nomad.Why = false, "Nomad doesn't answer."
}

// later moves the clock.
func later(d time.Duration) change { return func(o *nodestate.State) { o.Now = o.Now.Add(d) } }

// overdue moves the clock to d after the deadline of a requested member. If Nomad shows its drain as running, it has been
// asked for it at the deadline.
func overdue(d time.Duration) change {
	return func(o *nodestate.State) {
		o.Now = o.Now.Add(14*time.Minute + d)
		if d >= 0 && o.Nomad.Draining && o.Nomad.DrainID == drainID {
			o.Drain = nodestate.Accepted{First: now, Last: now.Add(14 * time.Minute)}
			o.Stop = nodestate.Stop{Asked: o.Drain.Last, Accepted: o.Drain.Last}
		}
	}
}

// accepts is Nomad, which accepts the drain that is sent now.
func accepts(o *nodestate.State) {
	o.Drain = o.Drain.At(o.Now)
	asks(o)
	if !o.Stop.Asked.IsZero() {
		o.Stop.Accepted = o.Now
	}
}

// asks is the controller, which sends a drain now, whatever Nomad answers.
func asks(o *nodestate.State) {
	if deadline := o.Node.Drain.DeadlineTime.Time; !o.Now.Before(deadline) && o.Stop.Asked.Before(deadline) {
		o.Stop.Asked = o.Now
	}
}

// refuses is Nomad, which refuses the drain that is sent now.
func refuses(o *nodestate.State) {
	asks(o)
	if o.Stop.Refused.IsZero() {
		o.Stop.Refused = o.Stop.Asked
	}
	o.Now = o.Now.Add(5 * time.Second)
}

// sentBefore is a drain that was sent before its deadline, and not since.
func sentBefore(o *nodestate.State) { o.Drain.Last, o.Stop = o.Drain.First, nodestate.Stop{} }

func service(names ...string) []nodestate.Allocation {
	var out []nodestate.Allocation
	for _, n := range names {
		out = append(out, nodestate.Allocation{Name: n})
	}
	return out
}

func system(names ...string) []nodestate.Allocation {
	out := service(names...)
	for i := range out {
		out[i].System = true
	}
	return out
}

// stepCase is an observation and the step that must follow from it.
type stepCase struct {
	name   string
	o      nodestate.State
	step   member.Step
	reason v1alpha1.DrainReason // of RequestDrain
	wake   time.Duration
}

func runSteps(t *testing.T, cases []stepCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := decide(c.o)
			if d.Step != c.step || d.Reason != c.reason || d.Wake != c.wake {
				t.Errorf("got %s (reason %q, wake %s), want %s (reason %q, wake %s)", d.Step, d.Reason, d.Wake, c.step, c.reason,
					c.wake)
			}
		})
	}
}

// notAsked is a Nomad that this process has not asked yet.
func notAsked(o *nodestate.State) {
	o.Nomad.Known, o.Nomad.NotAsked, o.Nomad.Why = false, true, "Nomad has not answered yet."
}
