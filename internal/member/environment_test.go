package member_test

import (
	"fmt"
	"reflect"
	"time"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// environment is one member with everything that belongs to it. It takes steps as the reconciler does, and advances by
// the second as KubeVirt, Harvester and Nomad do, at a pace that is drawn for each life.
type environment struct {
	t *rapid.T
	// is is the true state. The member observes it, but not what Nomad keeps from it.
	is       nodestate.State
	version  int // of the NomadNode: a write based on another one is refused
	requests int
	resends  map[string]int
	log      []string

	forceAt time.Time // Nomad's deadline of the drain that runs; zero: none
	stopAt  time.Time // when the tasks that Nomad has stopped are gone; zero: none is stopping
	outage  time.Time // until when Nomad doesn't answer
	polled  int       // seconds for which allocations have been polled

	boot, shutdown, drainPace int  // seconds that each takes
	stalls, removesClaims     bool // Nomad misses the end of a drain; Harvester removes the claims itself
	quota                     bool // Harvester denies changes of a VM that isn't halted
	bootedFor, stoppedFor     int
	placed                    int // allocations that came while the node was eligible
	released, late            bool
}

func (w *environment) failf(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s at %s; so far: %v", fmt.Sprintf(format, args...), w.is.Now.Format(time.TimeOnly), w.log)
}

func (w *environment) observe() nodestate.State {
	o := w.is
	o.Nomad.Live = append([]nodestate.Allocation(nil), o.Nomad.Live...)
	o.Nomad.LiveKnown = w.polled > 0
	if o.Now.Before(w.outage) {
		o.Nomad.Known, o.Nomad.Why = false, "Nomad doesn't answer."
	}
	if w.is.VM.Exists && w.is.VM.Owned {
		o.Node.VMMade = true // the status write records it
		w.is.Node.VMMade = true
	}
	if w.quota && !o.VM.Halted && member.DeletionDenied(o) {
		deniedByQuota(&o)
	}
	if o.Nomad.Known && o.Nomad.Registered && o.Nomad.Status == "ready" {
		w.is.Node.Joined = true
	}
	return o
}

// wakes is the part of an observation that has a watch. Time, claims, Secrets and quotas have none.
func wakes(o nodestate.State) nodestate.State {
	o.Now, o.Claims, o.Secret, o.VM.Denied = time.Time{}, nil, false, nil
	o.Node.OnlySystemTime, o.Node.ForcedTime = time.Time{}, time.Time{}
	return o
}

// wait lets time pass until the wake or until something with a watch changes. Only a member that isn't deleted may wait
// for something that never comes.
func (w *environment) wait(before nodestate.State, wake time.Duration) {
	const limit = 3 * time.Hour
	before = wakes(before)
	wanted := before.Node.DeletedAt.IsZero()
	for passed := time.Duration(0); ; {
		w.second()
		passed += time.Second
		if wake > 0 && passed >= wake || !reflect.DeepEqual(wakes(w.observe()), before) || wanted && passed > time.Minute {
			return
		}
		if passed > limit {
			w.failf("a wait that nothing ends")
		}
	}
}

// second lets the environment advance by a second.
func (w *environment) second() {
	w.is.Now = w.is.Now.Add(time.Second)
	if w.is.Node.Emptying() {
		w.polled++
	} else {
		w.polled = 0
	}
	w.guest()
	w.disks()
	w.drainer()
}

func (w *environment) guest() {
	vm, n := &w.is.VM, &w.is.Nomad
	switch {
	case vm.Exists && vm.Deleting:
		if w.stoppedFor++; w.stoppedFor >= w.shutdown {
			w.is.Instance = nodestate.Instance{}
		}
		if w.stoppedFor > w.shutdown && (!w.quota || vm.Halted) {
			*vm = nodestate.VM{}
		}
	case vm.Exists && !vm.Halted:
		if w.bootedFor++; w.bootedFor >= w.boot {
			w.is.Instance = nodestate.Instance{Exists: true, Running: true}
		}
		if w.bootedFor >= 2*w.boot && !n.Registered {
			*n = nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true}
		}
	}
	if n.Registered && !w.is.Instance.Exists {
		n.Status, n.Live = "down", nil
	}
	if n.Ready() && w.placed < 4 && w.is.Now.Second()%7 == 0 {
		w.placed++
		n.Live = append(n.Live, nodestate.Allocation{Name: fmt.Sprintf("alloc-%d", w.placed), System: w.placed%4 == 3})
	}
}

func (w *environment) disks() {
	var left []nodestate.Claim
	for _, c := range w.is.Claims {
		if !c.Deleting {
			left = append(left, c)
		}
	}
	if !w.is.VM.Exists && w.is.Node.Drained && w.removesClaims {
		left = nil
	}
	w.is.Claims = left
}

// drainer drains as Nomad does: allocations move away one by one, those of system jobs stop when no others are left,
// and at the deadline it reports the drain as complete while tasks are still stopping.
func (w *environment) drainer() {
	n := &w.is.Nomad
	if !w.stopAt.IsZero() && !w.is.Now.Before(w.stopAt) {
		n.Live, w.stopAt = nil, time.Time{}
	}
	if !n.Draining {
		return
	}
	forced := !w.forceAt.IsZero() && !w.is.Now.Before(w.forceAt)
	work := -1
	for i, a := range n.Live {
		if !a.System {
			work = i
		}
	}
	switch {
	case forced || n.Status == "down":
		w.stopAt = w.is.Now.Add(20 * time.Second)
	case work >= 0:
		if w.drainPace > 0 && w.is.Now.Unix()%int64(w.drainPace) == 0 {
			n.Live = append(append([]nodestate.Allocation(nil), n.Live[:work]...), n.Live[work+1:]...)
		}
		return
	case w.stalls:
		return
	case !w.is.Node.Policy.IgnoreSystemJobs:
		w.stopAt = w.is.Now.Add(2 * time.Second)
	}
	n.Draining, n.DrainCompleted, n.DrainUpdated = false, true, w.is.Now
}
