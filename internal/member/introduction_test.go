package member_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// A guest may use all its time to join, however late its VM is made.
func TestIntroductionsLastUntilTheTimeToJoinIsOver(t *testing.T) {
	for joinTimeout, want := range map[time.Duration]time.Duration{
		0: 30 * time.Minute, 5 * time.Minute: 30 * time.Minute, 10 * time.Minute: 31*time.Minute + 30*time.Second,
		time.Hour: 81*time.Minute + 30*time.Second,
	} {
		got := member.IntroductionTTL(joinTimeout)
		if got != want {
			t.Errorf("%s: %s, want %s", joinTimeout, got, want)
		}
		for age := time.Duration(0); now.Add(age).Before(member.IntroductionStaleAt(now)); age += time.Minute {
			if got-age < joinTimeout {
				t.Errorf("%s: after %s it is put into a VM with %s left", joinTimeout, age, got-age)
			}
		}
	}
}

func TestIntroductionsAreRemovedOnceTheMemberHasJoined(t *testing.T) {
	introduced := func(o *nodestate.State) { o.HasIntroductionToken = true }
	unknown := func(o *nodestate.State) { o.Nomad.Known = false }
	inNomad := func(o *nodestate.State) {
		o.Nomad = nodestate.Nomad{Known: true, Registered: true, Status: "ready", Eligible: true}
	}
	for name, c := range map[string]struct {
		o    nodestate.State
		want member.Step
	}{
		"on its way":               {booting(introduced), member.Wait},
		"joined a moment ago":      {booting(introduced, inNomad), member.RemoveIntroduction},
		"joined":                   {steady(introduced), member.RemoveIntroduction},
		"joined, gone from Nomad":  {steady(introduced, notInNomad), member.RemoveIntroduction},
		"joined, Nomad is away":    {steady(introduced, unknown), member.RemoveIntroduction},
		"joining, Nomad is away":   {booting(introduced, inNomad, unknown), member.Wait},
		"joined, without a token":  {steady(), member.Wait},
		"leaves: its Secret goes":  {draining(nil, introduced), member.Next(draining(nil)).Step},
		"somebody else's VM there": {steady(introduced, externalVM), member.Next(steady(externalVM)).Step},
	} {
		t.Run(name, func(t *testing.T) {
			d := member.Next(c.o)
			if d.Step != c.want {
				t.Fatalf("got %s, want %s", d.Step, c.want)
			}
			if d.Step == member.RemoveIntroduction {
				if after := member.Next(member.Outcome{IntroductionRemoved: true}.After(c.o)); after.Step == member.RemoveIntroduction {
					t.Error("it is removed twice")
				}
			}
		})
	}
}

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
		{name: "it boots, and has a token that isn't stale", o: booting(staleIn(time.Minute)), step: member.Wait,
			wake: 9*time.Minute - 30*time.Second},
		{name: "it has joined before", o: booting(full, joined, staleIn(0)), step: member.Wait},
		{name: "it leaves", o: booting(full, requesting, staleIn(0)), step: member.MarkDrained},
	})
	o := booting(quota, staleIn(0))
	if d := member.Next(member.Outcome{IntroductionRenewed: true}.After(o)); d.Step != member.StartVM {
		t.Errorf("after that the step is %s", d.Step)
	}
}
