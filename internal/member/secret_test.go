package member_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

func secretMissing(o *nodestate.State) { o.SecretMissing = true }

// notRendered is a template of which nothing can be made any more.
func notRendered(o *nodestate.State) {
	o.Problem = &nodestate.Blocked{By: v1alpha1.BlockedByTemplate,
		Problem: condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid, Message: "cloudInit.userDataSecretRef is gone"}}
}

func TestWhoNeedsItsSecret(t *testing.T) {
	started := func(o *nodestate.State) { o.VM.Halted = false }
	for name, c := range map[string]struct {
		o    nodestate.State
		want bool
	}{
		"above its quota":           {booting(aboveQuota), true},
		"above its quota, started":  {booting(aboveQuota, started), true},
		"halted by somebody":        {booting(halted, noInstance), true},
		"no host, since a moment":   {booting(unschedulable(time.Second)), true},
		"it starts":                 {booting(noInstance), false},
		"it runs":                   {booting(), false},
		"above its quota, and runs": {booting(func(o *nodestate.State) { o.VM.AboveQuota = "once" }), false},
		"it has joined":             {steady(halted, noInstance), false},
		"it leaves":                 {booting(aboveQuota, asked), false},
		"its VM is deleted":         {booting(aboveQuota, vmDeleting), false},
		"the VM isn't its own":      {booting(externalVM), false},
	} {
		if got := member.NeedsSecret(c.o); got != c.want {
			t.Errorf("%s: %t", name, got)
		}
		if member.WaitsToBoot(c.o) && !c.want {
			t.Errorf("%s: it waits to boot, and its token isn't observed", name)
		}
	}
}

// The Secret of a VM that waits is made again before the VM is started: without it the guest would never boot.
func TestLostSecretIsMadeAgain(t *testing.T) {
	runSteps(t, []stepCase{
		{name: "above its quota", o: booting(aboveQuota, secretMissing), step: member.CreateSecret},
		{name: "no host", o: booting(unschedulable(time.Hour), secretMissing), step: member.CreateSecret},
		{name: "halted by somebody", o: booting(halted, noInstance, secretMissing), step: member.CreateSecret},
		{name: "it runs", o: booting(secretMissing), step: member.Wait, wake: 9*time.Minute - 30*time.Second},
		{name: "it leaves", o: booting(aboveQuota, secretMissing, requesting), step: member.MarkDrained},
		{name: "nothing can be made of the template", o: booting(aboveQuota, secretMissing, notRendered),
			step: member.StartVM},
	})
	made := member.Outcome{Secret: true, Introduction: true}.After(booting(aboveQuota, secretMissing))
	if made.SecretMissing || !made.HasIntroductionToken || member.Next(made).Step != member.StartVM {
		t.Errorf("once it is made: %+v", member.Next(made))
	}
}

// What keeps it from being made is what people are to read: it is in the way whatever the quota.
func TestSecretThatCannotBeMadeAgainIsReported(t *testing.T) {
	o := booting(aboveQuota, secretMissing, notRendered)
	c := decide(o).Conditions[v1alpha1.NodeVMReady]
	if c.Reason != v1alpha1.ReasonTemplateInvalid || !strings.Contains(c.Message, "userDataSecretRef is gone") ||
		!strings.Contains(c.Message, "deleted the member's cloud-init Secret") {
		t.Errorf("%+v", c)
	}
}
