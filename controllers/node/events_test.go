package node

import (
	"strings"
	"testing"
	"time"

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
