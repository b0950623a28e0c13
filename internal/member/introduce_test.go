package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// A guest that waits to boot has an introduction token that is valid when it does.
func TestIntroductionIsRenewedWhileTheGuestWaits(t *testing.T) {
	staleIn := func(d time.Duration) change {
		return func(o *nodestate.State) { o.IntroductionStaleAt = o.Now.Add(d) }
	}
	quota := func(o *nodestate.State) {
		o.VM.Halted, o.VM.AboveQuota = true, "cpu"
		o.Instance = nodestate.Instance{}
	}
	full := func(o *nodestate.State) {
		o.Instance = nodestate.Instance{Exists: true, Unschedulable: "no host", UnschedulableSince: o.Now.Add(-time.Hour)}
	}
	stopped := func(o *nodestate.State) { o.VM.Halted, o.Instance = true, nodestate.Instance{} }
	joined := func(o *nodestate.State) { o.Node.Joined = true }
	runSteps(t, []stepCase{
		{name: "above quota, fresh", o: booting(quota, staleIn(time.Second)), step: member.StartVM},
		{name: "above quota, stale", o: booting(quota, staleIn(0)), step: member.RenewIntroduction},
		{name: "above quota, without a token", o: booting(quota), step: member.StartVM},
		{name: "no host, fresh", o: booting(full, staleIn(5*time.Minute)), step: member.Wait, wake: 5 * time.Minute},
		{name: "no host, stale", o: booting(full, staleIn(-time.Second)), step: member.RenewIntroduction},
		{name: "no host, without a token", o: booting(full), step: member.Wait},
		{name: "halted by a person, nearly stale", o: booting(stopped, staleIn(time.Second)), step: member.Wait,
			wake: time.Second},
		{name: "halted by a person, stale", o: booting(stopped, staleIn(0)), step: member.RenewIntroduction},
		{name: "it boots", o: booting(staleIn(0)), step: member.Wait,
			wake: 9*time.Minute - 30*time.Second},
		{name: "it has joined before", o: booting(full, joined, staleIn(0)), step: member.Wait},
		{name: "it leaves", o: booting(full, requesting, staleIn(0)), step: member.MarkDrained},
	})
	o := booting(quota, staleIn(0))
	if d := member.Next(member.Outcome{IntroductionRenewed: true}.After(o)); d.Step != member.StartVM {
		t.Errorf("after that the step is %s", d.Step)
	}
}
