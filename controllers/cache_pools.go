package controllers

import (
	"strings"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// ofUsed leaves of a pool or a member what the controllers use. Whoever may make pools decides how much the rest is:
// annotations, of which kubectl's repeats the whole pool, and overlays, which the API server can't limit. Nothing
// writes a cached object as a whole, so nothing is lost.
func ofUsed(cached any) (any, error) {
	switch o := cached.(type) {
	case *v1alpha1.NomadNodePool:
		o.ManagedFields = pool.OwnersOfReplicas(o.ManagedFields)
		dropOtherKeys(&o.ObjectMeta)
		ofLength(&o.Spec.Template)
	case *v1alpha1.NomadNode:
		o.ManagedFields = nil
		dropOtherKeys(&o.ObjectMeta)
		ofLength(&o.Spec.Template)
	}
	return cached, nil
}

// tooLong stands for every overlay that is refused for its length.
var tooLong = []byte("{" + strings.Repeat(" ", vm.MaxOverlay) + "}")

func ofLength(t *v1alpha1.NodeTemplate) {
	if over := t.VirtualMachine; over != nil && len(over.Raw) > vm.MaxOverlay {
		over.Raw = tooLong
	}
}
