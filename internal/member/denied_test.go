package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// To find out if admission denies the end of a VM costs a request, so that is done only if the VM should be gone.
func TestDenialIsLookedForOfAVMThatShouldBeGone(t *testing.T) {
	deletedAgo := func(d time.Duration) change {
		return func(o *nodestate.State) { o.VM.DeletingSince = o.Now.Add(-d) }
	}
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"its guest has stopped, and it is still there": {removing(vmDeleting, noInstance), true},
		"its instance has ended":                       {removing(vmDeleting, ended), true},
		"deleted a while ago":                          {removing(vmDeleting, noInstance, deletedAgo(15*time.Second)), true},
		"deleted a moment ago":                         {removing(vmDeleting, noInstance, deletedAgo(14*time.Second)), false},
		"its guest may run":                            {removing(vmDeleting), false},
		"not deleted":                                  {removing(noInstance), false},
		"not the member's":                             {removing(vmDeleting, noInstance, func(o *nodestate.State) { o.VM.Owned = false }), false},
		"not drained":                                  {requested(vmDeleting, noInstance), false},
	} {
		if got := member.DeletionDenied(c.o); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
