package member_test

import (
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// reachable is a state in which a member can be: a Nomad node is its own only if its VM was made (member.NeverMade).
func reachable(t *rapid.T) nodestate.State {
	o := anyObserved(t)
	if o.Nomad.Registered {
		o.Node.VMMade = true
		o.Node.Joined = o.Node.Joined || o.VM.Halted // a guest that Harvester has halted since has joined before
	}
	switch where := rapid.IntRange(0, 9).Draw(t, "where"); {
	case where == 0 && o.Nomad.Known:
		o.Nomad = nodestate.Nomad{Known: true, External: "it is called x"}
	case where == 1 && o.Nomad.Registered:
		o.Nomad.Misplaced = "node pool x, not y,"
	case where == 2 && o.Nomad.Registered:
		o.Nomad.Namesake = "another"
	case where == 3 && o.Nomad.Known && !o.Nomad.Registered && o.Node.Joined:
		o.Nomad.MetaChanged = true
	}
	if o.Instance.Exists && !o.Instance.Running && flag(t, "unschedulable") {
		o.Instance.Unschedulable, o.Instance.UnschedulableSince = "no host", anyTime(t, "unschedulable since")
	}
	o.Node.Phase = rapid.SampledFrom([]v1alpha1.NodePhase{"", v1alpha1.NodeJoining, v1alpha1.NodePhaseReady,
		v1alpha1.NodeIneligible, v1alpha1.NodeUnhealthy, v1alpha1.NodeDraining}).Draw(t, "phase")
	if flag(t, "described before") {
		was := rapid.SampledFrom([]metav1.ConditionStatus{"True", "False", "Unknown"}).Draw(t, "was ready")
		if (was == metav1.ConditionTrue) != (o.Node.Phase == v1alpha1.NodePhaseReady) {
			was = metav1.ConditionUnknown
		}
		o.Node.LastConditions = map[string]metav1.Condition{v1alpha1.NodeReady: {
			Status: was,
			Reason: "Written", Message: "What was written before."}}
	}
	return o
}

// What is said of a member in one place isn't denied in another.
func TestNothingSaidOfAMemberContradicts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := reachable(t)
		d := decide(o)
		ready, joined := d.Conditions[v1alpha1.NodeReady], d.Conditions[v1alpha1.NodeJoined]
		must := func(ok bool, what string) {
			if !ok {
				t.Errorf("%s: phase %s, blocked by %q, next %s, %+v", what, d.Phase, d.BlockedBy, d.Step, d.Conditions)
			}
		}
		if ready.Status == metav1.ConditionTrue && !o.Nomad.NotAsked {
			must(d.Phase == v1alpha1.NodePhaseReady && joined.Status == metav1.ConditionTrue,
				"Ready is of a member that has joined and works")
			must(slices.Contains([]v1alpha1.BlockedCause{"", v1alpha1.BlockedByHalt, v1alpha1.BlockedByQuota,
				v1alpha1.BlockedByCapacity}, d.BlockedBy),
				"Ready is of a member that nothing blocks, but that its VM has just been halted")
		}
		if d.Phase == v1alpha1.NodePhaseReady {
			must(ready.Status != metav1.ConditionFalse, "the phase Ready isn't denied by the condition")
		}
		if d.Phase == v1alpha1.NodeIneligible {
			must(ready.Status != metav1.ConditionTrue, "who takes no work isn't Ready")
		}
		if d.Phase == v1alpha1.NodeDraining {
			must(ready.Status == metav1.ConditionFalse, "who leaves isn't Ready")
		}
		for _, c := range d.Conditions {
			must(!strings.Contains(c.Message, "VM is gone") || !o.VM.Exists || !o.VM.Owned, "what is said to be gone is gone")
		}
		drained := d.Conditions[v1alpha1.NodeDrainCompleted].Status == metav1.ConditionTrue
		must(!drained || o.Node.Leaving() || o.Node.Drained, "only who leaves is drained")
	})
}
