package member_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func TestHostIsFreedByReplacingTheMember(t *testing.T) {
	evacuated := func(o *nodestate.State) { o.Instance.EvacuatedFrom = "host-1" }
	runSteps(t, []stepCase{
		{name: "steady", o: steady(evacuated), step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "not joined yet", o: booting(evacuated), step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "while Nomad is unknown: the order is only written down", o: steady(evacuated, nomadUnknown),
			step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "leaving already", o: draining(nil, evacuated), step: member.MarkDrained},
		{name: "called back: leaves after all, under an intent of its own", o: ordered(canceled, evacuated),
			step: member.RequestDrain, reason: v1alpha1.DrainEvacuation},
		{name: "deleted", o: steady(evacuated, deleted), step: member.RequestDrain, reason: v1alpha1.DrainDeleted},
		{name: "VM lost", o: steady(evacuated, vmDeleting), step: member.RequestDrain, reason: v1alpha1.DrainVMDeleted},
		{name: "a stranger's VM", o: fresh(strangersVM, evacuated), step: member.Wait, wake: 15e9},
	})
}
