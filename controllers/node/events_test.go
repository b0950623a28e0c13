package node

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestEventOfARefusalFits(t *testing.T) {
	recorder := events.NewFakeRecorder(1)
	(emitter{kube.EventSink{EventRecorder: recorder}}).vmRefused(&v1alpha1.NomadNode{}, strings.Repeat("x", 2000))
	if e := <-recorder.Events; len(e) > 1024+len("Warning VMRefused ") {
		t.Errorf("%d bytes were sent", len(e))
	}
}

func TestDrainStartedNamesTheDeadline(t *testing.T) {
	for onTimeout, want := range map[v1alpha1.DrainTimeoutAction]string{
		v1alpha1.DrainForce:  "deadline 2026-11-23T12:15:00Z",
		v1alpha1.DrainRetain: "for as long as its allocations run",
	} {
		n := &v1alpha1.NomadNode{}
		n.Spec.ScaleIn.Drain.OnTimeout = onTimeout
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		recorder := events.NewFakeRecorder(1)
		(emitter{kube.EventSink{EventRecorder: recorder}}).drainStarted(n)
		if e := <-recorder.Events; !strings.Contains(e, want) {
			t.Errorf("%s: %q", onTimeout, e)
		}
	}
}

// An Event reports what blocks a member when that begins, not when its message changes.
func TestWhatBlocksIsEmittedOnce(t *testing.T) {
	node := func(by v1alpha1.BlockedCause, reason string) *v1alpha1.NomadNode {
		n := &v1alpha1.NomadNode{}
		n.Status.BlockedBy = by
		n.Status.Conditions = []metav1.Condition{
			{Type: v1alpha1.NodeVMReady, Status: metav1.ConditionFalse, Reason: reason, Message: "in the server's words"}}
		return n
	}
	for name, c := range map[string]struct {
		before, after *v1alpha1.NomadNode
		want          string
	}{
		"refused": {node("", v1alpha1.ReasonProvisioning), node(v1alpha1.BlockedByAdmission, "Whatever"),
			"Warning VMRefused in the server's words"},
		"no capacity": {node("", v1alpha1.ReasonVMStarting), node(v1alpha1.BlockedByCapacity, "Whatever"),
			"Warning VMUnschedulable in the server's words"},
		"not made": {node("", v1alpha1.ReasonProvisioning), node(v1alpha1.BlockedByFailure, "Whatever"),
			"Warning CreateFailed The VM could not be made. in the server's words"},
		"halted": {node("", v1alpha1.ReasonVMRunning), node(v1alpha1.BlockedByHalt, "Whatever"),
			"Warning VMStopped in the server's words"},
		"stuck": {node(v1alpha1.BlockedByHalt, v1alpha1.ReasonVMStopped),
			node(v1alpha1.BlockedByRemoval, "Whatever"), "Warning DeleteStuck in the server's words"},
		"in other words": {node(v1alpha1.BlockedByAdmission, v1alpha1.ReasonAdmissionDenied),
			node(v1alpha1.BlockedByAdmission, "Whatever"), ""},
		"no longer": {node(v1alpha1.BlockedByAdmission, v1alpha1.ReasonAdmissionDenied),
			node("", v1alpha1.ReasonVMStarting), ""},
		"the pool emits it": {node("", v1alpha1.ReasonProvisioning),
			node(v1alpha1.BlockedByTemplate, v1alpha1.ReasonImageNotFound), ""},
	} {
		t.Run(name, func(t *testing.T) {
			recorder := events.NewFakeRecorder(1)
			(&Reconciler{Events: emitter{kube.EventSink{EventRecorder: recorder}}}).emitChanges(c.before, c.after)
			close(recorder.Events)
			if got := <-recorder.Events; got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// That a node is down is emitted once, even if Nomad goes away and comes back.
func TestNodeThatIsDownIsEmittedOnce(t *testing.T) {
	for _, c := range []struct{ kind, reason, want string }{
		{v1alpha1.NodeReady, v1alpha1.ReasonNodeDown, "Warning NodeDown in words"},
	} {
		recorder := events.NewFakeRecorder(9)
		r := &Reconciler{Events: emitter{kube.EventSink{EventRecorder: recorder}}}
		before, n := &v1alpha1.NomadNode{}, &v1alpha1.NomadNode{}
		n.Status.Conditions = []metav1.Condition{
			{Type: c.kind, Status: metav1.ConditionFalse, Reason: c.reason, Message: "in words"}}
		r.emitChanges(before, n)
		r.emitChanges(n, n)
		away := n.DeepCopy()
		away.Status.Conditions[0].Status = metav1.ConditionUnknown
		away.Status.Conditions[0].Reason = v1alpha1.ReasonNomadUnknown
		r.emitChanges(n, away)
		r.emitChanges(away, n)
		if len(recorder.Events) != 1 {
			t.Fatalf("%s: %d Events", c.reason, len(recorder.Events))
		}
		if got := <-recorder.Events; got != c.want {
			t.Errorf("got %q", got)
		}
	}
}

// A node that goes down while Nomad can't be asked is down for the first time when Nomad is back.
func TestNodeThatWentDownMeanwhileIsEmitted(t *testing.T) {
	recorder := events.NewFakeRecorder(9)
	r := &Reconciler{Events: emitter{kube.EventSink{EventRecorder: recorder}}}
	n := func(status metav1.ConditionStatus, reason, node string) *v1alpha1.NomadNode {
		n := &v1alpha1.NomadNode{}
		n.Status.Nomad.Status = node
		n.Status.Conditions = []metav1.Condition{{Type: v1alpha1.NodeReady, Status: status, Reason: reason}}
		return n
	}
	r.emitChanges(n(metav1.ConditionUnknown, v1alpha1.ReasonNomadUnknown, "ready"),
		n(metav1.ConditionFalse, v1alpha1.ReasonNodeDown, "down"))
	if len(recorder.Events) != 1 {
		t.Errorf("%d Events", len(recorder.Events))
	}
}
