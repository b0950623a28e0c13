package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestWhatBlocksAMember(t *testing.T) {
	failed := func(o *nodestate.State) { o.VM.Failure = "the pod can't be made" }
	externalNode := func(o *nodestate.State) { o.Nomad.External = "it is called x" }
	for name, c := range map[string]struct {
		o    nodestate.State
		want v1alpha1.BlockedCause
	}{
		"on its way":    {fresh(), ""},
		"its VM starts": {booting(noInstance), ""},
		"it works":      {steady(), ""},
		"no such image": {fresh(func(o *nodestate.State) { o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate} }),
			v1alpha1.BlockedByTemplate},
		"no token": {fresh(func(o *nodestate.State) { o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByToken} }),
			v1alpha1.BlockedByToken},
		"no such image for the next, and its own VM isn't in its status yet": {booting(func(o *nodestate.State) {
			o.Node.VMMade, o.Problem = false, &nodestate.Blocked{By: v1alpha1.BlockedByTemplate}
		}), ""},
		"an external VM":   {fresh(externalVM), v1alpha1.BlockedByName},
		"an external node": {fresh(externalNode), v1alpha1.BlockedByNodeID},
		"an external node, found when its VM was made": {booting(externalNode), ""},

		"no quota left":                        {booting(aboveQuota), v1alpha1.BlockedByCapacity},
		"no host":                              {booting(unschedulable(time.Minute)), v1alpha1.BlockedByCapacity},
		"halted":                               {steady(halted, noInstance), v1alpha1.BlockedByHalt},
		"halted, and KubeVirt calls it failed": {steady(halted, noInstance, failed), v1alpha1.BlockedByHalt},
		"failed":                               {steady(noInstance, failed), ""},
		"halted, and going":                    {removing(halted, vmDeleting), ""},
		"its removal is refused":               {removing(refused), v1alpha1.BlockedByRemoval},
		"its VM can't go":                      {removing(vmDeleting, noInstance, deniedByQuota), v1alpha1.BlockedByRemoval},
	} {
		if got := decide(c.o).BlockedBy; got != c.want {
			t.Errorf("%s: blocked by %q, want %q", name, got, c.want)
		}
	}
}
