package node

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// regarding records what Events are about.
type regarding struct{ vm, node []string }

func (r *regarding) Eventf(on, _ runtime.Object, kind, reason, _, note string, args ...any) {
	text := kind + " " + reason + " " + fmt.Sprintf(note, args...)
	if ref, ok := on.(*corev1.ObjectReference); ok && ref.Kind == "VirtualMachine" && ref.UID == "vm" && ref.Name == "p-1" {
		r.vm = append(r.vm, text)
		return
	}
	r.node = append(r.node, text)
}

// Who looks at a VM in Harvester's UI learns what is about to happen to it.
func TestWhatAPersonMustKnowIsAnEventOfTheVM(t *testing.T) {
	for name, c := range map[string]struct {
		emit func(emitter, *v1alpha1.NomadNode)
		want []string
	}{
		"drain": {emitter.drainStarted, []string{"Normal DrainStarted", "until 2026-11-23T12:15:00Z",
			"the pool has more members than replicas"}},
		"evacuation": {func(e emitter, n *v1alpha1.NomadNode) { e.leaving(n, v1alpha1.DrainEvacuation, "host-1") },
			[]string{"Normal Evacuating Host host-1"}},
		"force":        {func(e emitter, n *v1alpha1.NomadNode) { e.drainForced(n, "Cut off: web.") }, []string{"Warning DrainForced Cut off: web."}},
		"join timeout": {emitter.joinTimeout, []string{"Warning JoinTimeout", "within 10m0s", "kubectl -n ns describe nomadnode p-1"}},
		"rescue":       {func(e emitter, n *v1alpha1.NomadNode) { e.drainCanceled(n, true) }, []string{"Normal DrainCanceled", "stays"}},
		// It goes in seconds: its Events would be writes for nobody.
		"nothing to drain": {func(e emitter, n *v1alpha1.NomadNode) { e.drained(n, "Nothing is left.") }, nil},
		"deleted":          {func(e emitter, n *v1alpha1.NomadNode) { e.leaving(n, v1alpha1.DrainDeleted, "") }, nil},
	} {
		n := &v1alpha1.NomadNode{}
		n.Namespace, n.Name, n.Status.VM.UID = "ns", "p-1", "vm"
		n.Spec.Health.JoinTimeout.Duration = 10 * time.Minute
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
		r := &regarding{}
		c.emit(emitter{kube.EventSink{EventRecorder: r}}, n)
		if len(r.vm) != min(len(c.want), 1) || len(r.node) != 1 {
			t.Errorf("%s: %q, and on the NomadNode %q", name, r.vm, r.node)
			continue
		}
		if slices.ContainsFunc(c.want, func(part string) bool { return !strings.Contains(r.vm[0], part) }) {
			t.Errorf("%s: %q, want %q", name, r.vm[0], c.want)
		}
	}
}

// A drain without a deadline has no time to tell.
func TestEventOfTheVMOfARetainedDrain(t *testing.T) {
	n := &v1alpha1.NomadNode{}
	n.Name, n.Status.VM.UID, n.Spec.ScaleIn.Drain.OnTimeout = "p-1", "vm", v1alpha1.DrainRetain
	n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(15*time.Minute))
	r := &regarding{}
	if (emitter{kube.EventSink{EventRecorder: r}}).drainStarted(n); len(r.vm) != 1 || strings.Contains(r.vm[0], "12:15") {
		t.Errorf("%q", r.vm)
	}
}

// A member without a VM has no Event of one.
func TestNoEventOfAVMThatWasNeverSeen(t *testing.T) {
	r := &regarding{}
	if (emitter{kube.EventSink{EventRecorder: r}}).joinTimeout(&v1alpha1.NomadNode{}); len(r.node) != 1 || len(r.vm) != 0 {
		t.Errorf("%q, %q", r.node, r.vm)
	}
}
