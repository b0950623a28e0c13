package controllers

import (
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// trimPool leaves of a pool what the controllers use. Whoever may make pools decides how much the rest is:
// annotations, of which kubectl's repeats the whole pool, and overlays, which the API server can't limit. Nothing
// writes a cached object as a whole, so nothing is lost.
func trimPool(p *v1alpha1.NomadNodePool) {
	p.ManagedFields = pool.OwnersOfReplicas(p.ManagedFields)
	dropOtherKeys(&p.ObjectMeta)
	ofLength(&p.Spec.Template)
}

// trimMember does the same to a member, which has a copy of its pool's template.
func trimMember(n *v1alpha1.NomadNode) {
	n.ManagedFields = nil
	dropOtherKeys(&n.ObjectMeta)
	ofLength(&n.Spec.Template)
}

// tooLong stands for every overlay that is refused for its length.
var tooLong = &runtime.RawExtension{Raw: []byte("{" + strings.Repeat(" ", vm.MaxOverlay) + "}")}

func ofLength(t *v1alpha1.NodeTemplate) {
	if over := t.VirtualMachine; over != nil && len(over.Raw) > vm.MaxOverlay {
		t.VirtualMachine = tooLong
	}
}
