package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// trace is what happened in a schedule, line by line. It is written only when asked for: a schedule of interest is run
// again.
type trace struct {
	on    bool
	lines []line
}

// line is one thing that happened.
type line struct {
	at           time.Time
	actor, about string
	text         string
}

func (l line) String() string {
	return fmt.Sprintf("%9.3fs  %-13s %-14s %s", l.at.Sub(epoch).Seconds(), l.actor, l.about, l.text)
}

// note adds a line to the trace.
func (w *Environment) note(actor, about, format string, args ...any) {
	if w.trace.on {
		w.trace.lines = append(w.trace.lines, line{w.now, actor, about, fmt.Sprintf(format, args...)})
	}
}

// excerpt are the first and the last lines that concern somebody; empty: everybody.
func (t *trace) excerpt(about string, first, last int) string {
	var out []string
	for _, l := range t.lines {
		if about == "" || l.about == "" || l.about == poolName || strings.HasPrefix(l.about, about) {
			out = append(out, l.String())
		}
	}
	if left := len(out) - first - last; left > 0 {
		out = slices.Concat(out[:first], []string{fmt.Sprintf("           (%d lines)", left)}, out[first+left:])
	}
	return strings.Join(out, "\n")
}

func (w *Environment) noteCall(t *task, c call, before client.Object, err error) {
	if !w.trace.on {
		return
	}
	what := c.verb
	if c.status {
		what += " status of"
	}
	outcome := ""
	switch {
	case apierrors.IsConflict(err):
		outcome = ": conflict"
	case err != nil:
		outcome = ": " + err.Error()
	case c.verb == "patch" && before != nil && w.store.get(c.id) == before:
		outcome = ": no change"
	case c.verb == "patch":
		outcome = difference(before, w.store.get(c.id), c)
	}
	w.note(t.p.name, t.request.Name, "%s %s %s%s", what, c.id.kind, c.id.name, outcome)
}

// recorder writes Events of the controllers into the trace.
type recorder struct{ p *process }

// Eventf is events.EventRecorder's.
func (r recorder) Eventf(on, related runtime.Object, _, reason, _, note string, args ...any) {
	w := r.p.w
	name := ""
	switch o := on.(type) {
	case client.Object:
		name = o.GetName()
	case *corev1.ObjectReference:
		name = o.Kind + " " + o.Name
	}
	of := name
	if o, ok := related.(client.Object); ok {
		of = o.GetName()
	}
	w.checks.heard(r.p, of, reason)
	if w.trace.on {
		w.note(r.p.name, name, "Event %s: %s", reason, fmt.Sprintf(note, args...))
	}
}

// difference says in a few words what a patch has changed.
func difference(before, after client.Object, c call) string {
	switch was := before.(type) {
	case *v1alpha1.NomadNode:
		is, ok := after.(*v1alpha1.NomadNode)
		switch {
		case !ok:
			return ": finalizer off"
		case c.status:
			return nodeDifference(was, is)
		case is.Spec.Drain == nil:
			return ": no drain request"
		default:
			d := is.Spec.Drain
			return fmt.Sprintf(": drain request %s %s, deadline %s, canceled %t", d.ID[:8], d.Reason, d.DeadlineTime.Sub(epoch),
				d.Canceled)
		}
	case *v1alpha1.NomadNodePool:
		is, ok := after.(*v1alpha1.NomadNodePool)
		if ok {
			return fmt.Sprintf(": %d of %d, %d ready, %d joining, %d leaving, next %d%s", is.Status.Replicas,
				is.DesiredReplicas(), is.Status.ReadyReplicas,
				is.Status.JoiningReplicas, is.Status.DrainingReplicas, is.Status.NextOrdinal,
				conditionsDifference(was.Status.Conditions, is.Status.Conditions))
		}
	}
	return " " + string(c.patch)
}

func nodeDifference(was, is *v1alpha1.NomadNode) string {
	out := ": " + string(is.Status.Phase)
	if is.Status.Nomad.Status != was.Status.Nomad.Status {
		out += fmt.Sprintf(", Nomad %q", is.Status.Nomad.Status)
	}
	if is.Status.CordonedDrain != was.Status.CordonedDrain {
		out += fmt.Sprintf(", cordoned for %.8s", is.Status.CordonedDrain)
	}
	if is.Status.VM.Status != was.Status.VM.Status {
		out += fmt.Sprintf(", VM %q", is.Status.VM.Status)
	}
	return out + conditionsDifference(was.Status.Conditions, is.Status.Conditions)
}

func conditionsDifference(was, is []metav1.Condition) string {
	out := ""
	for _, c := range is {
		before := meta.FindStatusCondition(was, c.Type)
		if before == nil || before.Reason != c.Reason || before.Status != c.Status {
			out += fmt.Sprintf(", %s %s (%s)", c.Type, c.Status, c.Reason)
		}
	}
	return out
}
