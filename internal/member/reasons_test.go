package member_test

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestReadyTellsWhyAMemberLeaves(t *testing.T) {
	leaving := func(reason v1alpha1.DrainReason) nodestate.State {
		return requested(func(o *nodestate.State) { o.Node.Drain.Reason = reason })
	}
	runConditions(t, v1alpha1.NodeReady, []conditionCase{
		{"scale-in", leaving(v1alpha1.DrainScaleIn), "False", v1alpha1.ReasonDraining, "more members than replicas"},
		{"rollout", leaving(v1alpha1.DrainRollout), "False", v1alpha1.ReasonDraining, "it is outdated"},
		{"join timeout", leaving(v1alpha1.DrainJoinTimeout), "False", v1alpha1.ReasonDraining, "joinTimeout"},
		{"unhealthy", leaving(v1alpha1.DrainUnhealthy), "False", v1alpha1.ReasonDraining, "unhealthyTimeout"},
		{"evacuation", leaving(v1alpha1.DrainEvacuation), "False", v1alpha1.ReasonDraining, "free its host"},
		{"VM deleted", leaving(v1alpha1.DrainVMDeleted), "False", v1alpha1.ReasonDraining, "somebody deleted its VM"},
		{"deleted", leaving(v1alpha1.DrainDeleted), "False", v1alpha1.ReasonDraining,
			"NomadNode was deleted, by itself or with its pool"},
		{"deleted, not written down yet", steady(deleted), "False", v1alpha1.ReasonDraining, "NomadNode was deleted"},
		{"canceled, and then deleted", requested(canceled, deleted), "False", v1alpha1.ReasonDraining,
			"NomadNode was deleted"},
		{"a reason of a later version", leaving("Whim"), "False", v1alpha1.ReasonDraining, "Whim"},
	})
	for _, c := range []v1alpha1.DrainReason{v1alpha1.DrainScaleIn, v1alpha1.DrainRollout, v1alpha1.DrainUnhealthy} {
		if words := member.Because(c); words == string(c) || strings.HasSuffix(words, ".") {
			t.Errorf("%s: %q doesn't complete a sentence", c, words)
		}
	}
}
