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

func TestDrainStartedSaysWhatNomadWasTold(t *testing.T) {
	for onTimeout, want := range map[v1alpha1.DrainTimeoutAction]string{
		v1alpha1.DrainForce:  "deadline 2026-11-23T12:15:00Z",
		v1alpha1.DrainRetain: "for as long as its allocations run",
	} {
		n := &v1alpha1.NomadNode{}
		n.Spec.DrainPolicy.OnTimeout = onTimeout
		n.Spec.Drain = nodestate.NewIntent("intent-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		recorder := events.NewFakeRecorder(1)
		(emitter{kube.EventSink{EventRecorder: recorder}}).drainStarted(n)
		if e := <-recorder.Events; !strings.Contains(e, want) {
			t.Errorf("%s: %q", onTimeout, e)
		}
	}
}

// Somebody stopped a VM, or a node is down: that is a Warning, once.
func TestTroubleOfAMemberIsToldOnce(t *testing.T) {
	for _, c := range []struct{ kind, reason, want string }{
		{v1alpha1.NodeVMReady, v1alpha1.ReasonVMStopped, "Warning VMStopped in words"},
		{v1alpha1.NodeReady, v1alpha1.ReasonNodeDown, "Warning NodeDown in words"},
	} {
		recorder := events.NewFakeRecorder(9)
		r := &Reconciler{Events: emitter{kube.EventSink{EventRecorder: recorder}}}
		before, n := &v1alpha1.NomadNode{}, &v1alpha1.NomadNode{}
		n.Status.Conditions = []metav1.Condition{{Type: c.kind, Status: metav1.ConditionFalse, Reason: c.reason, Message: "in words"}}
		r.tell(before, n)
		r.tell(n, n)
		if len(recorder.Events) != 1 {
			t.Fatalf("%s: %d Events", c.reason, len(recorder.Events))
		}
		if got := <-recorder.Events; got != c.want {
			t.Errorf("got %q", got)
		}
	}
}
