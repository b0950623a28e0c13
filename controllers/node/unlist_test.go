package node

import (
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// Harvester's UI writes which disks go before it deletes a VM, and shows nobody that the deletion was refused.
func TestRefusedDeletionInTheUIIsEmitted(t *testing.T) {
	for name, c := range map[string]struct {
		annotations map[string]string
		leaves      bool
		emitted     bool
	}{
		"nothing tried":         {nil, false, false},
		"tried":                 {map[string]string{nodestate.RemovedClaimsAnnotation: "c"}, false, true},
		"it is allowed":         {map[string]string{nodestate.RemovedClaimsAnnotation: "c", v1alpha1.AllowDeleteAnnotation: ""}, false, false},
		"by the member's drain": {map[string]string{nodestate.RemovedClaimsAnnotation: "c"}, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				objects := running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
				objects[0].SetAnnotations(c.annotations)
				if c.leaves {
					n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now)
				}
				return objects
			})
			s.reconcile(t)
			if _, left := s.vm(t).Annotations[nodestate.RemovedClaimsAnnotation]; left != (c.annotations != nil && !c.emitted) {
				t.Errorf("left on the VM: %t", left)
			}
			if e := s.event(); strings.Contains(e, "DeleteRefused") != c.emitted || c.emitted && !strings.Contains(e, "delete nomadnode p-1") {
				t.Errorf("event %q", e)
			}
			s.reconcile(t)
			if e := s.event(); strings.Contains(e, "DeleteRefused") {
				t.Errorf("once more: %q", e)
			}
		})
	}
}
