package member

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// Whoever may write nodes in Nomad may undo a cordon or cancel a drain each time, and a server may accept both and show
// neither. That must not hold a member for longer than its drain may take.

// send has the drain sent that Nomad doesn't show. If it has accepted it, it is sent again after longer and longer
// pauses, and once after the deadline, for Nomad to stop at once what is left. Then that has the time to stop that its
// jobs were promised.
func send(o nodestate.State) Decision {
	if o.Drain.First.IsZero() {
		return sendFirst(o)
	}
	if o.Drain.Last.Before(o.NomadRecovered) && !o.DrainExtended && Overdue(o) {
		return Decision{Step: ExtendDrain} // Nomad was away since, and may have forgotten it
	}
	if !o.Nomad.Eligible && !mayHaveLeft(o) { // by somebody else's drain, say
		return markEmpty()
	}
	wake := o.Drain.RepeatIn(o.Now)
	switch forces := o.Node.Policy.OnTimeout != v1alpha1.DrainRetain; {
	case forces && (stopsAtOnce(o) || !mayAskToStop(o)) && !Rechecks(o):
		if wake = undoneEnd(o).Sub(o.Now); wake <= 0 {
			return markDrained(true, v1alpha1.DrainDeadlinePassed,
				"The drain deadline has passed and onTimeout is Force. Nomad has accepted the drain, but doesn't show it.")
		}
	case forces:
		wake = min(wake, o.Node.Drain.DeadlineTime.Sub(o.Now))
	}
	if wake > 0 {
		return Decision{Step: Wait, Wake: wake}
	}
	return Decision{Step: Drain}
}

// undoneEnd is when a member goes whose drain Nomad doesn't show, if onTimeout is Force.
func undoneEnd(o nodestate.State) time.Time {
	end := o.Node.Drain.DeadlineTime.Time
	if stopsAtOnce(o) {
		end = o.Stop.Accepted
	}
	return end.Add(stopGrace(o, MaxGrace))
}

// cordonUndone is true if Nomad has accepted some time ago that the node is made ineligible, and shows it as eligible.
// A drain makes it ineligible too.
func cordonUndone(o nodestate.State) bool { return o.Nomad.Eligible && isOld(o.Cordon, o.Now) }

func isOld(a nodestate.Accepted, now time.Time) bool {
	return !a.First.IsZero() && now.Sub(a.First) >= siblingTimeout
}

// undone is true if Nomad has accepted the cordon or the drain some time ago, and doesn't show it.
func undone(o nodestate.State) bool { return cordonUndone(o) || isOld(o.Drain, o.Now) && !drainSent(o) }

func drainUndone(o nodestate.State) metav1.Condition {
	text := "Nomad accepts that the node is made ineligible and drained, but doesn't show it: somebody undoes it (nomad node " +
		"status " + o.Node.ID + " lists the node's events), or its servers are ill."
	switch {
	case Rechecks(o):
		text += " It is asked again at least every 15 s, until " + stamp(o.Node.Drain.DeadlineTime.Time) +
			"; then the member stays, because it is to leave only if it is empty."
	case o.Node.Policy.OnTimeout == v1alpha1.DrainRetain:
		text += " It is asked again at least every 15 s."
	default:
		text += " The member goes at about " + stamp(undoneEnd(o)) + "."
	}
	return condition.False(v1alpha1.ReasonDrainUndone, text)
}
