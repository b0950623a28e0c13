package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// What programs that know nothing of our kinds show of a member: an error only where somebody has to act.
func TestHowAMemberIsShown(t *testing.T) {
	problem := func(by v1alpha1.BlockedCause) func(*nodestate.State) {
		return func(o *nodestate.State) {
			o.Problem = &nodestate.Blocked{By: by, Problem: condition.Problem{Reason: string(by), Message: "in its words"}}
		}
	}
	misconfigured := func(o *nodestate.State) { o.Nomad.Misconfigured = true }
	external := func(o *nodestate.State) { o.Nomad.External = "it is called x" }
	retained := func(o *nodestate.State) {
		o.Node.Policy.OnTimeout, o.Node.Drain.DeadlineTime.Time = v1alpha1.DrainRetain, now.Add(-time.Hour)
	}
	down := func(o *nodestate.State) { o.Nomad.Status = "down" }
	for name, c := range map[string]struct {
		o    nodestate.State
		want conditiontest.View
	}{
		"nothing made":             {fresh(), conditiontest.UnderWay},
		"VM starting":              {booting(noInstance), conditiontest.UnderWay},
		"joining":                  {booting(), conditiontest.UnderWay},
		"too late to join":         {booting(later(time.Hour)), conditiontest.UnderWay},
		"steady":                   {steady(), conditiontest.Active},
		"down, and to be replaced": {steady(down), conditiontest.UnderWay},
		"ineligible":               {steady(cordoned), conditiontest.UnderWay},
		"draining":                 {requested(), conditiontest.UnderWay},
		"retained":                 {requested(retained), conditiontest.UnderWay},
		"being removed":            {removing(), conditiontest.UnderWay},
		"no host":                  {booting(unschedulable(time.Minute)), conditiontest.UnderWay},
		"above its quota":          {booting(aboveQuota), conditiontest.UnderWay},
		"no quota for its VM":      {fresh(problem(v1alpha1.BlockedByQuota)), conditiontest.UnderWay},
		"tried again":              {fresh(problem(v1alpha1.BlockedByFailure)), conditiontest.UnderWay},
		"no token, Nomad unknown":  {fresh(problem(v1alpha1.BlockedByToken), nomadUnknown), conditiontest.UnderWay},

		"image being imported": {fresh(func(o *nodestate.State) {
			o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate,
				Problem: condition.Problem{Reason: v1alpha1.ReasonImageNotReady, Message: "in its words"}}
		}), conditiontest.UnderWay},

		"Nomad's token is wrong, and it leaves":    {requested(nomadUnknown, misconfigured), conditiontest.Wrong},
		"Nomad's token is wrong, its pool says so": {booting(nomadUnknown, misconfigured), conditiontest.UnderWay},
		"its ID is taken by a copy, and its image isn't ready": {fresh(external, func(o *nodestate.State) {
			o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate,
				Problem: condition.Problem{Reason: v1alpha1.ReasonImageNotReady, Message: "in its words"}}
		}), conditiontest.Wrong},
		"no token":               {fresh(problem(v1alpha1.BlockedByToken)), conditiontest.Wrong},
		"no such image":          {fresh(problem(v1alpha1.BlockedByTemplate)), conditiontest.Wrong},
		"refused":                {fresh(problem(v1alpha1.BlockedByAdmission)), conditiontest.Wrong},
		"a external node":        {fresh(external), conditiontest.Wrong},
		"an external VM":         {fresh(externalVM), conditiontest.Wrong},
		"halted":                 {steady(halted, noInstance, down), conditiontest.Wrong},
		"its removal is refused": {removing(refused), conditiontest.Wrong},
	} {
		t.Run(name, func(t *testing.T) {
			all := decide(c.o).Conditions
			if k, r := conditiontest.KStatus(t, all), conditiontest.Rancher(all); k != c.want || r != c.want {
				t.Errorf("kstatus: %s, Rancher: %s, want %s of %+v", k, r, c.want, all)
			}
			if s, vm := all[v1alpha1.NodeStalled], all[v1alpha1.NodeVMReady]; c.want == conditiontest.Wrong && c.o.Nomad.Known &&
				(s.Reason != vm.Reason || s.Message != vm.Message) {
				t.Errorf("Stalled is %+v, and VMReady %+v", s, vm)
			}
		})
	}
	unknown := decide(steady(nomadUnknown)).Conditions
	if k, r := conditiontest.KStatus(t, unknown), conditiontest.Rancher(unknown); k != conditiontest.UnderWay ||
		r != conditiontest.Wrong {
		t.Errorf("while nobody can tell: kstatus: %s, Rancher: %s", k, r)
	}
}
