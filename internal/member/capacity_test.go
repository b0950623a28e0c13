package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// aboveQuota is a VM that Harvester has halted.
func aboveQuota(o *nodestate.State) {
	o.VM.Halted, o.Instance = true, nodestate.Instance{}
	o.VM.AboveQuota = "cpu insufficient resources due to resource quota"
}

// unschedulable is an instance for which the scheduler has found no host for so long.
func unschedulable(d time.Duration) change {
	return func(o *nodestate.State) {
		o.Instance = nodestate.Instance{Exists: true, Unschedulable: "0/3 nodes are available: 3 Insufficient memory.",
			UnschedulableSince: o.Now.Add(-d)}
	}
}

// wasBlocked sets what was last written to block the member.
func wasBlocked(by v1alpha1.BlockedCause) change {
	return func(o *nodestate.State) { o.Node.BlockedBy = by }
}

func capacityAt(at time.Time) change {
	return func(o *nodestate.State) { o.Node.CapacityAvailableTime = at }
}

func TestVMWithoutCapacityIsReported(t *testing.T) {
	starting := func(o *nodestate.State) { o.VM.Halted = false }
	runConditions(t, v1alpha1.NodeVMReady, []conditionCase{
		{"halted by Harvester", booting(aboveQuota), "False", v1alpha1.ReasonVMAboveQuota,
			"cpu insufficient resources due to resource quota. Raise the quota"},
		{"halted by Harvester: what becomes of it", booting(aboveQuota), "False", v1alpha1.ReasonVMAboveQuota,
			"is then started by itself"},
		{"halted by Harvester when it had joined", steady(aboveQuota), "False", v1alpha1.ReasonVMAboveQuota,
			"then start the VM, or delete"},
		{"started, not running yet", booting(aboveQuota, starting, wasBlocked(v1alpha1.BlockedByCapacity), capacityAt(now)),
			"False", v1alpha1.ReasonVMAboveQuota, ""},
		{"halted by somebody", booting(halted, noInstance), "False", v1alpha1.ReasonVMStopped, ""},
		{"it runs again, Harvester removes its annotation in a moment",
			booting(func(o *nodestate.State) { o.VM.AboveQuota = "once" }), "True", v1alpha1.ReasonVMRunning, ""},
		{"no host", booting(unschedulable(30 * time.Second)), "False", v1alpha1.ReasonVMUnschedulable,
			"3 Insufficient memory. Make room"},
		{"no host yet", booting(unschedulable(30*time.Second - 1)), "False", v1alpha1.ReasonVMStarting, ""},
		{"no host, and leaving", removing(vmDeleting, unschedulable(time.Hour)), "False", v1alpha1.ReasonRemoving, ""},
	})
	runConditions(t, v1alpha1.NodeReady, []conditionCase{
		{"halted by Harvester", booting(aboveQuota), "False", v1alpha1.ReasonVMAboveQuota, "Raise the quota"},
		{"no host", booting(unschedulable(time.Hour)), "False", v1alpha1.ReasonVMUnschedulable, ""},
	})
	if got := decide(booting(aboveQuota)).Phase; got != v1alpha1.NodeProvisioning {
		t.Errorf("the phase of one that was halted by Harvester is %s", got)
	}
}

func TestVMHaltedForItsQuotaIsStartedAgain(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "halted by Harvester", o: booting(aboveQuota), step: member.StartVM},
		{name: "long after it should have joined",
			o: booting(aboveQuota, wasBlocked(v1alpha1.BlockedByCapacity), later(time.Hour)), step: member.StartVM},
		{name: "started, and halted at once: not each second", o: booting(aboveQuota, capacityAt(now.Add(-20*time.Second))),
			step: member.Wait, wake: 40 * time.Second},
		{name: "started a minute ago", o: booting(aboveQuota, capacityAt(now.Add(-time.Minute))), step: member.StartVM},
		{name: "halted by somebody", o: booting(halted, noInstance), step: member.Wait, wake: 9 * time.Minute},
		{name: "has joined: somebody stopped it", o: steady(aboveQuota), step: member.Wait, wake: 15 * time.Second},
		{
			name: "an external VM",
			o: booting(aboveQuota, externalVM,
				func(o *nodestate.State) { o.VM.Halted, o.VM.AboveQuota, o.Node.VMMade = true, "cpu", false }),
			step: member.Wait,
			wake: 15 * time.Second,
		},
		{name: "deleted by somebody before it was written down",
			o: booting(aboveQuota, vmDeleting, func(o *nodestate.State) { o.Node.VMMade = false }), step: member.Wait,
			wake: 9 * time.Minute},
		{name: "leaving", o: booting(aboveQuota, requesting), step: member.MarkDrained},
		{name: "the scheduler has time", o: booting(unschedulable(10 * time.Second)), step: member.Wait,
			wake: 20 * time.Second},
		{name: "no host, and had capacity a moment ago: no start is waited for",
			o:    booting(unschedulable(time.Minute), wasBlocked(v1alpha1.BlockedByCapacity), capacityAt(now)),
			step: member.Wait},
		{name: "no host: the time to join doesn't run", o: booting(unschedulable(time.Minute)), step: member.Wait},
	})
}

// A member that lacked capacity has not failed to join.
func TestTimeToJoinBeginsWithCapacity(t *testing.T) {
	late := later(time.Hour)
	for name, c := range map[string]struct {
		o       nodestate.State
		expired bool
		since   time.Time
	}{
		"halted": {booting(aboveQuota, wasBlocked(v1alpha1.BlockedByCapacity), late), false,
			time.Time{}},
		"no host": {booting(wasBlocked(v1alpha1.BlockedByCapacity), late,
			unschedulable(time.Hour)), false, time.Time{}},
		"no host, just found": {booting(late, unschedulable(time.Hour)), true,
			time.Time{}}, // of what was written alone
		"runs at last": {booting(wasBlocked(v1alpha1.BlockedByCapacity), late), false,
			now.Add(time.Hour)},
		"has a host at last": {booting(wasBlocked(v1alpha1.BlockedByCapacity), late, noInstance), false,
			now.Add(time.Hour)},
		"started again by who had halted it": {booting(wasBlocked(v1alpha1.BlockedByHalt), late, noInstance), true,
			now.Add(time.Hour)}, // of what was written alone
		"halted by somebody": {booting(halted, noInstance, wasBlocked(v1alpha1.BlockedByHalt), late), true,
			time.Time{}},
		"started again, joined long ago": {steady(wasBlocked(v1alpha1.BlockedByHalt), late), false, time.Time{}},
		"had capacity in time": {booting(wasBlocked(""), late, capacityAt(now.Add(55*time.Minute))), false,
			now.Add(55 * time.Minute)},
		"had capacity, too late": {booting(wasBlocked(""), late, capacityAt(now.Add(50*time.Minute))), true,
			now.Add(50 * time.Minute)},
	} {
		if got := c.o.Node.JoinExpired(c.o.Now); got != c.expired {
			t.Errorf("%s: expired %t", name, got)
		}
		if d := decide(c.o); !d.CapacityAvailableTime.Equal(c.since) {
			t.Errorf("%s: capacity since %s, not %s", name, d.CapacityAvailableTime, c.since)
		}
	}
	if c := decide(booting(late,
		unschedulable(time.Hour))).Conditions[v1alpha1.NodeJoined]; c.Reason != v1alpha1.ReasonJoining {
		t.Errorf("no host, just found: %+v", c)
	}
}

// Harvester's annotation stays until the VM runs. A VM that was started, and isn't halted again, counts as waiting for
// its quota for some minutes. Then its time to join begins, once, and what is said of it doesn't change any more.
func TestStartedVMDoesNotWaitForItsQuotaForEver(t *testing.T) {
	started := func(o *nodestate.State) { o.VM.Halted = false }
	waits := func(after time.Duration, changes ...change) nodestate.State {
		return booting(append([]change{aboveQuota, started, wasBlocked(v1alpha1.BlockedByCapacity), capacityAt(now),
			later(after)}, changes...)...)
	}
	runSteps(t, []stepCase{
		{name: "just started", o: waits(time.Second), step: member.Wait, wake: 5*time.Minute - time.Second},
		{name: "not for long", o: waits(5*time.Minute - time.Second), step: member.Wait, wake: time.Second},
	})
	o := waits(5 * time.Minute)
	d := decide(o)
	if d.BlockedBy != "" || !d.CapacityAvailableTime.Equal(o.Now) ||
		d.Conditions[v1alpha1.NodeVMReady].Reason != v1alpha1.ReasonVMStarting {
		t.Errorf("blocked by %q, capacity since %s, %+v", d.BlockedBy, d.CapacityAvailableTime, d.Conditions)
	}
	for _, after := range []time.Duration{0, time.Minute, 10*time.Minute - time.Second, 10 * time.Minute} {
		o.Node.BlockedBy, o.Node.CapacityAvailableTime = d.BlockedBy, d.CapacityAvailableTime
		next := decide(with(o, later(after)))
		expired := next.Conditions[v1alpha1.NodeJoined].Reason == v1alpha1.ReasonJoinTimeout
		if next.BlockedBy != "" || !next.CapacityAvailableTime.Equal(d.CapacityAvailableTime) ||
			expired != (after == 10*time.Minute) {
			t.Errorf("after %s: blocked by %q, capacity since %s, its time is over: %t", after, next.BlockedBy,
				next.CapacityAvailableTime, expired)
		}
	}
	if d := decide(waits(time.Hour, aboveQuota)); d.BlockedBy != v1alpha1.BlockedByCapacity {
		t.Errorf("halted again it is blocked by %q", d.BlockedBy)
	}
}
