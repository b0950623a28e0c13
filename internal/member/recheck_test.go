package member_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func onlyIf(s v1alpha1.ScaleInStrategy) change {
	return func(o *nodestate.State) {
		d := o.Node.Drain.DeepCopy()
		d.OnlyIf = s
		o.Node.Drain = d
	}
}

func TestRecheckBeforeTheFirstDrain(t *testing.T) {
	empty := onlyIf(v1alpha1.Empty)
	for _, c := range []struct {
		name string
		o    nodestate.State
		want bool
	}{
		{"ineligible, not drained yet", requested(cordoned, empty), true},
		{"system jobs don't count", requested(cordoned, onlyIf(v1alpha1.EmptyIgnoreSystem)), true},
		{"leaves in any case", requested(cordoned), false},
		{"wanted", steady(), false},
		{"drain sent", draining(service("web"), empty), false},
		{"drain done", draining(service("web"), complete, empty), false},
		{"drained under an older request", draining(nil, complete, empty,
			func(o *nodestate.State) { o.Nomad.DrainID = "request-0" }), true},
		{"somebody else's drain", draining(service("web"), othersDrain, empty), true},
		{"canceled", requested(cordoned, empty, canceled), false},
		{"deleted", requested(cordoned, empty, deleted), false},
		{"never joined", requested(empty, notInNomad), false},
		{"down", requested(cordoned, empty, func(o *nodestate.State) { o.Nomad.Status = "down" }), false},
	} {
		if got := member.Rechecks(c.o); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
}

func TestRunningAllocation(t *testing.T) {
	for _, c := range []struct {
		live   []nodestate.Allocation
		onlyIf v1alpha1.ScaleInStrategy
		want   string
	}{
		{nil, v1alpha1.Empty, ""},
		{system("logs"), v1alpha1.Empty, "logs"},
		{system("logs"), v1alpha1.EmptyIgnoreSystem, ""},
		{append(system("logs"), service("web", "db")...), v1alpha1.EmptyIgnoreSystem, "web"},
	} {
		got, found := member.RunningAllocation(c.live, c.onlyIf)
		if got.Name != c.want || found != (c.want != "") {
			t.Errorf("%v, %s: got %q, %t", c.live, c.onlyIf, got.Name, found)
		}
	}
}
