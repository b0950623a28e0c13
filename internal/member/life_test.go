package member_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// others are what people, the pool and Nomad do to a member during its life.
var others = map[string]func(*environment){
	"pool requests a drain": func(w *environment) {
		if r := w.is.Node; r.Drain == nil && r.DeletedAt.IsZero() && !r.Drained {
			w.requestDrain(v1alpha1.DrainScaleIn)
		}
	},
	"pool requests a drain if it is empty": func(w *environment) {
		if r := w.is.Node; r.Drain == nil && r.DeletedAt.IsZero() && !r.Drained {
			w.requestDrain(v1alpha1.DrainScaleIn)
			w.is.Node.Drain.OnlyIf = v1alpha1.Empty
		}
	},
	"host evacuated": func(w *environment) {
		if w.is.Instance.Exists {
			w.is.Instance.EvacuatedFrom = "host-1"
		}
	},
	"pool cancels the drain": func(w *environment) {
		if r := &w.is.Node; r.Drain != nil && !r.Drained && r.DeletedAt.IsZero() && r.Drain.Reason == v1alpha1.DrainScaleIn {
			canceledByHand(&w.is)
		}
	},
	"VM deleted by somebody": func(w *environment) {
		if w.is.VM.Exists && !w.is.VM.Deleting {
			w.is.VM.Deleting, w.is.VM.DeletingSince = true, w.is.Now
		}
	},
	"VM halted by somebody": func(w *environment) {
		if w.is.VM.Exists {
			w.is.VM.Halted, w.is.Instance = true, nodestate.Instance{}
		}
	},
	"drain canceled by somebody": func(w *environment) {
		if n := &w.is.Nomad; n.Draining {
			n.Draining, n.Eligible, w.forceAt = false, true, time.Time{}
		}
	},
	"drained by somebody": func(w *environment) {
		if n := &w.is.Nomad; n.Registered {
			n.Eligible, n.Draining, n.DrainCompleted, n.DrainID, n.DrainStarted = false, true, false, "", w.is.Now
			w.forceAt, n.DrainOnTimeout, n.DrainIgnoreSystemJobs = time.Time{}, "", false
		}
	},
	"onTimeout changed": func(w *environment) {
		p := &w.is.Node.Policy
		if p.OnTimeout == v1alpha1.DrainRetain {
			p.OnTimeout = v1alpha1.DrainForce
		} else {
			p.OnTimeout = v1alpha1.DrainRetain
		}
	},
	"ignoreSystemJobs changed": func(w *environment) {
		p := &w.is.Node.Policy
		p.IgnoreSystemJobs = !p.IgnoreSystemJobs
	},
	"Nomad away": func(w *environment) { w.outage = w.is.Now.Add(time.Minute) },
	"nothing":    func(*environment) {},
}

func anyEnvironment(t *rapid.T) *environment {
	w := &environment{
		t: t, resends: map[string]int{}, is: fresh(),
		boot: rapid.IntRange(1, 60).Draw(t, "boot"), shutdown: rapid.IntRange(1, 90).Draw(t, "shutdown"),
		drainPace: rapid.IntRange(1, 400).Draw(t, "drain pace"),
		stalls:    flag(t, "stalls"), removesClaims: flag(t, "removes claims"), quota: flag(t, "quota"),
	}
	w.is.Node.Created = w.is.Now
	w.is.Node.Purge = flag(t, "purge")
	w.is.Node.Policy.IgnoreSystemJobs = flag(t, "ignore system jobs")
	w.is.Node.Policy.OnTimeout = rapid.SampledFrom([]v1alpha1.DrainTimeoutAction{v1alpha1.DrainForce,
		v1alpha1.DrainRetain}).
		Draw(t, "on timeout")
	w.is.Node.Policy.Deadline.Duration = rapid.SampledFrom([]time.Duration{10 * time.Second, time.Minute,
		15 * time.Minute}).
		Draw(t, "deadline")
	return w
}

// step observes, decides and acts. Sometimes it dies in between, or acts twice on the same observation.
func (w *environment) step() {
	version, o := w.version, w.observe()
	d := decide(o)
	w.is.Node.OnlySystemTime, w.is.Node.ForcedTime = d.OnlySystemTime, d.ForcedTime // the status write records them
	if d.Step == member.Wait {
		w.wait(o, d.Wake)
		return
	}
	switch rapid.SampledFrom([]string{"well", "well", "well", "dies before", "two at once", "slow"}).Draw(w.t, "process") {
	case "well":
		w.do(d.Decision, version)
		w.second()
	case "dies before":
		w.second()
	case "two at once":
		w.do(d.Decision, version)
		if !w.released {
			w.do(d.Decision, version)
		}
	case "slow":
		w.do(d.Decision, version)
		for range 20 {
			w.second()
		}
	}
}

// Whatever others do to a member, and wherever its controller dies: once deleted, the member goes in a bounded number
// of steps and leaves nothing behind.
func TestEveryLifeEnds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyEnvironment(t)
		for range rapid.IntRange(0, 12).Draw(t, "events") {
			for range rapid.IntRange(0, 12).Draw(t, "steps before the next event") {
				if !w.released {
					w.step()
				}
			}
			what := rapid.SampledFrom([]string{
				"pool requests a drain", "pool requests a drain", "pool requests a drain if it is empty",
				"pool cancels the drain", "host evacuated", "VM deleted by somebody", "VM halted by somebody",
				"drain canceled by somebody", "drained by somebody", "onTimeout changed", "ignoreSystemJobs changed",
				"Nomad away", "nothing",
			}).Draw(t, "event")
			w.log = append(w.log, what)
			w.version++
			others[what](w)
		}
		if w.is.Node.DeletedAt.IsZero() {
			w.is.Node.DeletedAt = w.is.Now
			w.version++
		}
		gone := w.is.Node.Policy.OnTimeout == v1alpha1.DrainForce && flag(t, "Nomad gone for good")
		if gone {
			w.outage = w.is.Now.Add(1000 * time.Hour)
			w.is.PoolDeleted = true // a member that scales in waits for Nomad as long as its pool exists
		}
		for n := 0; !w.released; n++ {
			if n > 5000 {
				w.failf("no end after %d steps", n)
			}
			w.step()
		}
		w.checkNothingLeft(gone)
	})
}

func (w *environment) checkNothingLeft(nomadGone bool) {
	o := w.is
	switch {
	case o.VM.Exists || o.Instance.Exists:
		w.failf("the VM is left")
	case len(o.Claims) > 0 || o.Secret:
		w.failf("claims %v, Secret %t are left", o.Claims, o.Secret)
	case o.Nomad.Registered && o.Node.Purge && !w.late:
		w.failf("the Nomad node is left")
	case w.late && !nomadGone && !o.Now.Before(w.outage):
		w.failf("released late although Nomad answers")
	}
}

// A member that is left alone comes to rest: no step follows, and its status doesn't change.
func TestWantedMemberComesToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := anyEnvironment(t)
		for range 2000 {
			if o := w.observe(); decide(o).Phase == v1alpha1.NodePhaseReady && o.Node.Joined && !o.HasIntroductionToken {
				break
			}
			w.step()
		}
		o := w.observe()
		d := decide(o)
		if d.Step != member.Wait || d.Wake != 0 || d.Phase != v1alpha1.NodePhaseReady {
			w.failf("no rest: %s, %s, wake %s", d.Phase, d.Step, d.Wake)
		}
		if at := o.Now.Sub(o.Node.Created); at > joinTimeout {
			w.failf("joined after %s", at)
		}
	})
}
