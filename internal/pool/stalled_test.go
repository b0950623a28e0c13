package pool_test

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// What programs that know nothing of our kinds show of a pool: an error only where somebody has to act.
func TestHowAPoolIsShown(t *testing.T) {
	failing := func(s *pool.Snapshot) {
		s.Joins = pool.Joins{
			Results: []pool.JoinResult{{Member: "a", Time: now}, {Member: "b", Time: now}, {Member: "c", Time: now}}}
	}
	fullQuota := func(s *pool.Snapshot) {
		s.Quota = &pool.Quota{Problem: condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: "too little is left"}}
	}
	misconfigured := func(s *pool.Snapshot) {
		nomadUnknown(s)
		s.NomadMisconfigured, s.NomadReason = true, v1alpha1.ReasonCredentials
	}
	problem := func(reason string) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.Problems = []condition.Problem{{Reason: reason, Message: "in its words"}} }
	}
	deleting := func(s *pool.Snapshot) { badImage(s); s.Deleting = true }
	kept := func(s *pool.Snapshot) { s.Deleting, s.KeptBy = true, []string{"example.com/x"} }
	noToken := member("b", lacks(v1alpha1.ReasonIntroductionToken))
	for name, c := range map[string]struct {
		s      pool.Snapshot
		change func(*pool.Snapshot)
		failed bool // to make a member
		want   conditiontest.View
		by     string // the condition that explains it
	}{
		"as expected":             {s: snapshot(1, member("a")), want: conditiontest.Active},
		"empty":                   {s: snapshot(0), want: conditiontest.Active},
		"scaling in":              {s: snapshot(1, member("a"), member("b", leaving(time.Minute))), want: conditiontest.Active},
		"paused":                  {s: snapshot(1, member("a")), change: paused, want: conditiontest.Active},
		"paused, and short":       {s: snapshot(2, member("a")), change: paused, want: conditiontest.UnderWay},
		"being made":              {s: snapshot(2, member("a")), want: conditiontest.UnderWay},
		"joining":                 {s: snapshot(1, member("a", joining)), want: conditiontest.UnderWay},
		"one failed":              {s: snapshot(1, member("a", late)), want: conditiontest.UnderWay},
		"one is down":             {s: snapshot(1, member("a", down)), want: conditiontest.UnderWay},
		"no room":                 {s: snapshot(2, member("a"), member("b", noCapacity)), want: conditiontest.UnderWay},
		"no quota":                {s: snapshot(2, member("a")), change: fullQuota, want: conditiontest.UnderWay},
		"Nomad unknown":           {s: snapshot(1, member("a")), change: nomadUnknown, want: conditiontest.UnderWay},
		"no token, Nomad unknown": {s: snapshot(2, member("a"), noToken), change: nomadUnknown, want: conditiontest.UnderWay},
		"image being imported": {s: snapshot(1, member("a")), change: problem(v1alpha1.ReasonImageNotReady),
			want: conditiontest.UnderWay},
		"image of a member being imported": {s: snapshot(2, member("a"), member("b", lacks(v1alpha1.ReasonImageNotReady))),
			want: conditiontest.UnderWay},
		"its VM is halted": {s: snapshot(1, member("a", notReady, halted)), want: conditiontest.Wrong, by: v1alpha1.PoolReady},
		"halted by an upgrade": {s: snapshot(1, member("a", notReady, halted)), change: func(s *pool.Snapshot) {
			s.Upgrade = &pool.Upgrade{}
		}, want: conditiontest.UnderWay},
		"network not ready": {s: snapshot(1, member("a")), change: problem(v1alpha1.ReasonNetworkNotReady),
			want: conditiontest.UnderWay},
		"certificate for later": {s: snapshot(1, member("a")), change: problem(v1alpha1.ReasonCertificateNotYetValid),
			want: conditiontest.UnderWay},
		"deleted": {s: snapshot(1, member("a")), change: deleting, want: conditiontest.UnderWay},
		"deleted, kept by others": {s: snapshot(1, member("a")), change: kept, want: conditiontest.Wrong,
			by: v1alpha1.PoolReady},
		"deleted, kept by others, whose members leave": {s: snapshot(1, member("a", leaving(time.Minute))), change: kept,
			want: conditiontest.UnderWay},

		"import failed": {s: snapshot(1, member("a")), change: problem(v1alpha1.ReasonImageFailed),
			want: conditiontest.Wrong, by: v1alpha1.PoolTemplateValid},
		"template": {s: snapshot(1, member("a")), change: badImage, want: conditiontest.Wrong, by: v1alpha1.PoolTemplateValid},
		"refused": {s: snapshot(2, member("a"), member("b", refused)), want: conditiontest.Wrong,
			by: v1alpha1.PoolTemplateValid},
		"none joins": {s: snapshot(2, member("a")), change: failing, want: conditiontest.Wrong,
			by: v1alpha1.PoolJoinsHealthy},
		"credentials": {s: snapshot(1, member("a")), change: misconfigured, want: conditiontest.Wrong,
			by: v1alpha1.PoolNomadReachable},
		"no token": {s: snapshot(2, member("a"), noToken), want: conditiontest.Wrong, by: v1alpha1.PoolScalingOut},
		"a NomadNode is refused": {s: snapshot(2, member("a")), failed: true, want: conditiontest.Wrong,
			by: v1alpha1.PoolScalingOut},
	} {
		t.Run(name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.s)
			}
			all := pool.Conditions(c.s, pool.Decide(c.s), outcome(c.failed))
			if k, r := conditiontest.KStatus(t, all), conditiontest.Rancher(all); k != c.want || r != c.want {
				t.Errorf("kstatus: %s, Rancher: %s, want %s of %+v", k, r, c.want, all)
			}
			if s, by := all[v1alpha1.PoolStalled], all[c.by]; c.by != "" && (s.Reason != by.Reason || s.Message != by.Message) {
				t.Errorf("Stalled is %+v, and %s %+v", s, c.by, by)
			}
		})
	}
	// A quota may get free by itself.
	s, o := snapshot(2, member("a")), outcome(true)
	o.CreateError.By = v1alpha1.BlockedByQuota
	if all := pool.Conditions(s, pool.Decide(s), o); all[v1alpha1.PoolStalled].Status != metav1.ConditionFalse {
		t.Errorf("NomadNodes have a quota that is full, and the pool is stalled: %+v", all[v1alpha1.PoolStalled])
	}
}
