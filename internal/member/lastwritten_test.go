package member_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// written is an observation of a member whose status has been written.
func written(o nodestate.State) nodestate.State {
	d := decide(o)
	o.Node.LastConditions, o.Node.Phase = d.Conditions, d.Phase
	return o
}

// described are members of whose status something has been written.
func described() map[string]nodestate.State {
	down := func(o *nodestate.State) { o.Nomad.Status = "down" }
	return map[string]nodestate.State{
		"steady":              steady(),
		"down":                steady(down),
		"ineligible":          steady(cordoned),
		"purged by somebody":  steady(notInNomad),
		"joining":             booting(),
		"joined too late":     booting(later(time.Hour)),
		"draining":            draining(service("web")),
		"retained":            draining(service("web"), retain, overdue(time.Hour)),
		"drained, purging":    removing(noVM),
		"Nomad away before":   steady(nomadUnknown),
		"blocked, Nomad away": draining(service("web"), nomadUnknown),
		"drained, VM kept":    removing(nomadUnknown),
		"VM being made":       fresh(func(o *nodestate.State) { o.Secret = true }),
	}
}

// A restart doesn't flip conditions while the controller has not reached Nomad yet.
func TestRestartKeepsLastConditions(t *testing.T) {
	for name, o := range described() {
		t.Run(name, func(t *testing.T) {
			before := written(o)
			was, is := decide(before), decide(with(before, notAsked))
			if was.Phase != is.Phase || !reflect.DeepEqual(was.Conditions, is.Conditions) {
				t.Errorf("went from %s %v\nto %s %v", was.Phase, was.Conditions, is.Phase, is.Conditions)
			}
		})
	}
}

// A condition that another version wrote in other words stays as it is, and decides nothing.
func TestRestartDecidesByNoText(t *testing.T) {
	for name, o := range described() {
		t.Run(name, func(t *testing.T) {
			before := written(o)
			was := decide(before)
			for kind, c := range before.Node.LastConditions {
				c.Reason, c.Message = "Other", "In other words."
				before.Node.LastConditions[kind] = c
			}
			is := decide(with(before, notAsked))
			for kind, c := range is.Conditions {
				if c != was.Conditions[kind] && c != before.Node.LastConditions[kind] {
					t.Errorf("%s went from %+v to %+v", kind, was.Conditions[kind], c)
				}
			}
			if was.Phase != is.Phase {
				t.Errorf("went from %s to %s", was.Phase, is.Phase)
			}
		})
	}
}

func TestRestartReportsWhatIsNew(t *testing.T) {
	runConditions(t, v1alpha1.NodeReady, []conditionCase{
		{"nothing written yet", steady(notAsked), "Unknown", v1alpha1.ReasonNomadUnknown, "not answered yet"},
		{"drain requested meanwhile", with(written(steady()), notAsked, requesting), "False", v1alpha1.ReasonDraining,
			"leaving"},
		{"canceled meanwhile", with(written(requested()), notAsked, canceled), "Unknown", v1alpha1.ReasonNomadUnknown, ""},
		{"drained meanwhile", removing(notAsked, func(o *nodestate.State) {
			before := written(requested())
			o.Node.LastConditions, o.Node.Phase = before.Node.LastConditions, before.Node.Phase
		}), "False", v1alpha1.ReasonRemoving, ""},
		{"asked, and no answer", with(written(steady()), nomadUnknown), "Unknown", v1alpha1.ReasonNomadUnknown,
			"doesn't answer"},
	})
	runConditions(t, v1alpha1.NodeDrainCompleted, []conditionCase{
		{"drain requested meanwhile", with(written(steady()), notAsked, requesting), "False", v1alpha1.ReasonNomadUnknown,
			"Held"},
	})
	noToken := func(o *nodestate.State) {
		o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByToken,
			Problem: condition.Problem{Reason: v1alpha1.ReasonIntroductionToken, Message: "no token"}}
	}
	runConditions(t, v1alpha1.NodeStalled, []conditionCase{
		{"halted meanwhile", with(written(steady()), notAsked, halted, noInstance), "True", v1alpha1.ReasonVMStopped, ""},
		{"no token: Nomad may give one, so what was written stays", with(written(fresh(noToken)), notAsked), "True",
			v1alpha1.ReasonIntroductionToken, "no token"},
	})
	runConditions(t, v1alpha1.NodeVMReady, []conditionCase{
		{"the VM needs no Nomad", with(written(steady()), notAsked, noInstance), "False", v1alpha1.ReasonVMStarting, ""},
	})
}
