package nomadlink

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// misplaced describes where a member's client has registered, if that isn't where the member was told to; empty: it is.
// Whoever is root in a guest may lead its client to any node pool, unless introduction is strict.
func misplaced(n *v1alpha1.NomadNode, v nomad.Node) string {
	if v.NodePool == "" {
		return "" // Nomad always names one: it isn't known where the client is
	}
	asked := n.Spec.Nomad.NomadClient
	var wrong []string
	for _, place := range []struct{ what, is, asked string }{
		{"node pool", v.NodePool, cmp.Or(asked.NodePool, blueprint.DefaultNodePool)},
		{"datacenter", v.Datacenter, cmp.Or(asked.Datacenter, blueprint.DefaultDatacenter)},
		{"node class", v.NodeClass, cmp.Or(asked.NodeClass, n.Spec.PoolName)},
	} {
		if place.is != place.asked {
			wrong = append(wrong, fmt.Sprintf("%s %q, not %q", place.what, kube.Clamp(place.is, kube.MaxWord), place.asked))
		}
	}
	return strings.Join(wrong, ", ")
}
