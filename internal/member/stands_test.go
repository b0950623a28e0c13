package member_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// written is an observation of whose member everything has been written down that there is to say.
func written(o nodestate.State) nodestate.State {
	d := decide(o)
	o.Node.Said, o.Node.Phase = d.Conditions, d.Phase
	return o
}

// said are members of which something has been written.
func said() map[string]nodestate.State {
	down := func(o *nodestate.State) { o.Nomad.Status = "down" }
	return map[string]nodestate.State{
		"steady":             steady(),
		"down":               steady(down),
		"ineligible":         steady(cordoned),
		"purged by somebody": steady(notInNomad),
		"joining":            booting(),
		"joined too late":    booting(later(time.Hour)),
		"draining":           draining(service("web")),
		"retained":           draining(service("web"), retain, overdue(time.Hour)),
		"drained, purging":   removing(noVM),
		"Nomad away before":  steady(nomadUnknown),
		"held by Nomad away": draining(service("web"), nomadUnknown),
		"drained, VM kept":   removing(nomadUnknown),
		"VM being made":      fresh(func(o *nodestate.State) { o.Node.ClaimsRecorded = true }),
	}
}

// A controller that has just been restarted doesn't doubt aloud what it will know again in a moment.
func TestRestartKeepsWhatWasSaid(t *testing.T) {
	for name, o := range said() {
		t.Run(name, func(t *testing.T) {
			before := written(o)
			was, is := decide(before), decide(with(before, notAsked))
			if was.Phase != is.Phase || !reflect.DeepEqual(was.Conditions, is.Conditions) {
				t.Errorf("went from %s %v\nto %s %v", was.Phase, was.Conditions, is.Phase, is.Conditions)
			}
		})
	}
}

// What was written by a version with other words is shown again as it is, and nothing is decided by it.
func TestRestartGoesByNoWord(t *testing.T) {
	for name, o := range said() {
		t.Run(name, func(t *testing.T) {
			before := written(o)
			was := decide(before)
			for kind, c := range before.Node.Said {
				c.Reason, c.Message = "Foreign", "In other words."
				before.Node.Said[kind] = c
			}
			is := decide(with(before, notAsked))
			for kind, c := range is.Conditions {
				if c != was.Conditions[kind] && c != before.Node.Said[kind] {
					t.Errorf("%s went from %+v to %+v", kind, was.Conditions[kind], c)
				}
			}
			if was.Phase != is.Phase {
				t.Errorf("went from %s to %s", was.Phase, is.Phase)
			}
		})
	}
}

func TestRestartSaysWhatIsNew(t *testing.T) {
	runConditions(t, v1alpha1.NodeReady, []conditionCase{
		{"never said anything", steady(notAsked), "Unknown", v1alpha1.ReasonNomadUnknown, "not answered yet"},
		{"ordered to leave meanwhile", with(written(steady()), notAsked, ordering), "False", v1alpha1.ReasonDraining,
			"leaving"},
		{"called back meanwhile", with(written(ordered()), notAsked, canceled), "Unknown", v1alpha1.ReasonNomadUnknown, ""},
		{"asked, and no answer", with(written(steady()), nomadUnknown), "Unknown", v1alpha1.ReasonNomadUnknown,
			"doesn't answer"},
	})
	runConditions(t, v1alpha1.NodeDrainCompleted, []conditionCase{
		{"ordered to leave meanwhile", with(written(steady()), notAsked, ordering), "False", v1alpha1.ReasonNomadUnknown,
			"Held"},
	})
	runConditions(t, v1alpha1.NodeVMReady, []conditionCase{
		{"the VM needs no Nomad", with(written(steady()), notAsked, noInstance), "False", v1alpha1.ReasonVMStarting, ""},
	})
}
