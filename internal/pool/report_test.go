package pool_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// workedLast is in a Nomad that can't be asked.
func workedLast(m *pool.Member) { m.Ready, m.WorkedLast, m.NomadUnknown = false, true, true }

func TestCounts(t *testing.T) {
	s := snapshot(9, member("ready"), member("old", outdated), member("pending", pending), member("joining", joining),
		member("late", late), member("down", notReady), member("without-token", lacks(v1alpha1.ReasonIntroductionToken)),
		member("without-capacity", noCapacity), member("leaving", leaving(time.Minute)), member("going", leaving(time.Hour)))
	got, want := pool.Count(s), pool.Counts{Replicas: 8, Ready: 2, Updated: 7, Joining: 2, Draining: 2, Unhealthy: 4}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	s = snapshot(9, member("a", workedLast), member("b", notReady))
	if got, want := pool.Count(s), (pool.Counts{Replicas: 2, Ready: 1, Updated: 2, Unhealthy: 1}); got != want {
		t.Errorf("the Nomad of one that worked last can't be asked: %+v, want %+v", got, want)
	}
	nomadUnknown(&s)
	if got, want := pool.Count(s), (pool.Counts{Replicas: 2, Ready: 1, Updated: 2, Unhealthy: 1}); got != want {
		t.Errorf("Nomad can't be asked, and one worked last: %+v, want %+v", got, want)
	}
	if got := pool.Count(snapshot(0)); got != (pool.Counts{}) {
		t.Errorf("an empty pool counts %+v", got)
	}
}

// reportCase is a pool and what one condition must say of it.
type reportCase struct {
	name    string
	s       pool.Snapshot
	change  func(*pool.Snapshot)
	failed  bool // to make a member
	status  bool
	reason  string
	message string // part of the message
}

func runReports(t *testing.T, kind string, cases []reportCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.s)
			}
			out := outcome(c.failed)
			all := pool.Conditions(c.s, pool.Decide(c.s), out)
			conditiontest.Check(t, all)
			got := all[kind]
			if (got.Status == metav1.ConditionTrue) != c.status || got.Reason != c.reason ||
				!strings.Contains(got.Message, c.message) {
				t.Errorf("%s is %+v, want %t %s saying %q", kind, got, c.status, c.reason, c.message)
			}
		})
	}
}

func badImage(s *pool.Snapshot) {
	s.Problems = []condition.Problem{{Reason: v1alpha1.ReasonImageNotFound, Message: "no image"}}
}

func TestScalingOutCondition(t *testing.T) {
	runReports(t, v1alpha1.PoolScalingOut, []reportCase{
		{name: "as wanted", s: snapshot(1, member("a")), status: false, reason: v1alpha1.ReasonAsExpected},
		{name: "creating", s: snapshot(1), status: true, reason: v1alpha1.ReasonCreating},
		{name: "reclaiming", s: snapshot(1, member("a", reclaimable(0))), status: true, reason: v1alpha1.ReasonCreating},
		{name: "slow start", s: snapshot(9, member("a", pending)), status: true, reason: v1alpha1.ReasonCreating},
		{name: "joining", s: snapshot(1, member("a", joining)), status: true, reason: v1alpha1.ReasonJoining,
			message: "on their way to join Nomad; see kubectl get nn"},
		{name: "joining, Nomad unknown", s: snapshot(1, member("a", joining)), change: nomadUnknown, status: true,
			reason: v1alpha1.ReasonJoining, message: "can't be seen to join"},
		{name: "Nomad unknown, and nobody joins", s: snapshot(1, member("a")), change: nomadUnknown,
			reason: v1alpha1.ReasonAsExpected},
		{name: "joining, and Nomad can't be asked", s: snapshot(1, member("a", joining)), change: nomadUnknown, status: true,
			reason: v1alpha1.ReasonJoining, message: "can't be seen to join: Nomad doesn't answer."},
		{name: "a halted one isn't on its way", s: snapshot(1, member("a", joining, halted)),
			reason: v1alpha1.ReasonAsExpected},
		{name: "late ones no longer count as on their way", s: snapshot(1, member("a", late)),
			reason: v1alpha1.ReasonAsExpected},
		{name: "late ones, and the breaker is open", s: snapshot(1, member("a", late)), change: withJoins("---", 0),
			status: true, reason: v1alpha1.ReasonJoinsFailing},
		{name: "the breaker is open, and nothing is missing", s: snapshot(1, member("a")), change: withJoins("---", 0),
			reason: v1alpha1.ReasonAsExpected},
		{name: "down: nothing that would have to be made", s: snapshot(1, member("a", notReady)),
			reason: v1alpha1.ReasonAsExpected, message: "No member has to be made"},
		{name: "refused, word for word", s: snapshot(2, member("a")), failed: true, status: true,
			reason: v1alpha1.ReasonCreateFailed, message: "exceeded quota: members"},
		{name: "no token, though nobody is missing", s: snapshot(1, member("a", lacks(v1alpha1.ReasonIntroductionToken))),
			status: true, reason: v1alpha1.ReasonIntroductionToken, message: "the server's words"},
		{name: "no capacity, though nobody is missing", s: snapshot(2, member("a"), member("b", noCapacity)), status: true,
			reason: v1alpha1.ReasonVMUnschedulable, message: "0/3"},
		{name: "blocked by the template", s: snapshot(2, member("a")), change: badImage, status: true,
			reason: v1alpha1.ReasonImageNotFound, message: "no image"},
		{name: "paused", s: snapshot(2, member("a")), change: paused, status: true, reason: v1alpha1.ReasonPaused},
	})
}

func TestScalingInCondition(t *testing.T) {
	runReports(t, v1alpha1.PoolScalingIn, []reportCase{
		{name: "as wanted", s: snapshot(1, member("a")), reason: v1alpha1.ReasonAsExpected},
		{name: "chosen", s: snapshot(0, member("a")), status: true, reason: v1alpha1.ReasonDraining},
		{name: "draining", s: snapshot(0, member("a", leaving(0))), status: true, reason: v1alpha1.ReasonDraining},
		{name: "Nomad unknown", s: snapshot(0, member("a")), change: nomadUnknown, status: true,
			reason: v1alpha1.ReasonNomadUnknown, message: "doesn't answer"},
		{name: "protected", s: snapshot(0, member("a", protected)), status: true, reason: v1alpha1.ReasonAllProtected,
			message: "kubectl annotate nn MEMBER " + v1alpha1.ProtectAnnotation + "-"},
		{name: "paused", s: snapshot(0, member("a")), change: paused, status: true, reason: v1alpha1.ReasonPaused},
	})
}

func TestOtherConditions(t *testing.T) {
	unknownYet := func(s *pool.Snapshot) { nomadUnknown(s); s.NomadNotAsked, s.NomadReason = true, v1alpha1.ReasonUnknown }
	runReports(t, v1alpha1.PoolUpToDate, []reportCase{
		{name: "present template", s: snapshot(1, member("a")), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "outdated", s: snapshot(1, member("a", outdated)), reason: v1alpha1.ReasonOnDelete},
		{name: "outdated ones that leave don't count", s: snapshot(1, member("a"), member("b", outdated, leaving(0))),
			status: true, reason: v1alpha1.ReasonAsExpected},
	})
	runReports(t, v1alpha1.PoolNomadReachable, []reportCase{
		{name: "answers", s: snapshot(0), status: true, reason: v1alpha1.ReasonReachable, message: "answers"},
		{name: "answers, and members have no TLS", s: snapshot(0), change: func(s *pool.Snapshot) { s.WithoutTLS = true },
			status: true, reason: v1alpha1.ReasonReachable, message: "spec.nomad.clientTLSSecretRef isn't set"},
		{name: "doesn't", s: snapshot(0), change: nomadUnknown, reason: v1alpha1.ReasonUnreachable, message: "doesn't answer"},
		{name: "not asked yet", s: snapshot(0), change: unknownYet, reason: v1alpha1.ReasonUnknown},
		{name: "answers, but not how busy the members are", s: snapshot(0), change: func(s *pool.Snapshot) {
			s.NomadKnown, s.UsageUnknown, s.NomadMessage = false, true, "not how busy"
		}, status: true, reason: v1alpha1.ReasonReachable, message: "answers"},
	})
	runReports(t, v1alpha1.PoolJoinsHealthy, []reportCase{
		{name: "joined", s: snapshot(1, member("a")), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "joining", s: snapshot(1, member("a", joining)), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "late", s: snapshot(1, member("a", late)), reason: v1alpha1.ReasonJoinTimeouts,
			message: "It is replaced. Look at its console"},
		{name: "late and protected", s: snapshot(1, member("a", late, protected)), reason: v1alpha1.ReasonJoinTimeouts,
			message: "It stays, because it carries the annotation " + v1alpha1.ProtectAnnotation},
		{name: "late and halted", s: snapshot(1, member("a", late, halted)), reason: v1alpha1.ReasonJoinTimeouts,
			message: "It stays, because its VM is halted"},
		{name: "late and blocked", s: snapshot(1, member("a", late)), change: nomadUnknown,
			reason:  v1alpha1.ReasonJoinTimeouts,
			message: "It stays for now. Nobody is replaced while Nomad can't be asked"},
		{name: "late and in maintenance", s: snapshot(1, member("a", late, inMaintenance)),
			reason: v1alpha1.ReasonJoinTimeouts, message: "It stays while its host is in maintenance"},
		{name: "late for lack of capacity: nothing is wrong with it", s: snapshot(1, member("a", late, noCapacity)),
			status: true,
			reason: v1alpha1.ReasonAsExpected},
		{name: "two are late: the first that stays is told of",
			s: snapshot(2, member("a", late, protected), member("b", late, halted)), reason: v1alpha1.ReasonJoinTimeouts,
			message: "It stays, because it carries the annotation " + v1alpha1.ProtectAnnotation},
		{name: "late ones that leave don't count", s: snapshot(1, member("a"), member("b", late, leaving(0))), status: true,
			reason: v1alpha1.ReasonAsExpected},
	})
	runReports(t, v1alpha1.PoolTemplateValid, []reportCase{
		{name: "valid", s: snapshot(1, member("a")), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "pre-flight", s: snapshot(1, member("a")), change: badImage, reason: v1alpha1.ReasonImageNotFound,
			message: "no image"},
		{name: "admission, word for word", s: snapshot(1, member("a", refused)), reason: v1alpha1.ReasonAdmissionDenied,
			message: "webhook said no"},
		{name: "no token: not the template's fault", s: snapshot(1, member("a", lacks(v1alpha1.ReasonIntroductionToken))),
			status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "no capacity: not the template's fault", s: snapshot(1, member("a", noCapacity)), status: true,
			reason: v1alpha1.ReasonAsExpected},
		{name: "a refused one that leaves doesn't count", s: snapshot(0, member("a", refused, leaving(0))), status: true,
			reason: v1alpha1.ReasonAsExpected},
	})
	runReports(t, v1alpha1.PoolPaused, []reportCase{
		{name: "not paused", s: snapshot(0), reason: v1alpha1.ReasonAsExpected},
		{name: "paused", s: snapshot(0), change: paused, status: true, reason: v1alpha1.ReasonPaused}})
	s := snapshot(0)
	unknownYet(&s)
	if c := pool.Conditions(s, pool.Decide(s),
		pool.Outcome{})[v1alpha1.PoolNomadReachable]; c.Status != metav1.ConditionUnknown {
		t.Errorf("a Nomad that wasn't asked yet is unknown: %+v", c)
	}
}

// What an operator must act on comes first.
func TestReadyCondition(t *testing.T) {
	everything := func(s *pool.Snapshot) { badImage(s); nomadUnknown(s) }
	runReports(t, v1alpha1.PoolReady, []reportCase{
		{name: "the Nomad of one can't be asked", s: snapshot(1, member("a", workedLast)),
			reason: v1alpha1.ReasonNomadUnknown, message: "none of them is replaced"},
		{name: "nor has been asked since the start", s: snapshot(1, member("a", workedLast,
			func(m *pool.Member) { m.NomadNotAsked = true })), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "as wanted", s: snapshot(1, member("a")), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "none wanted", s: snapshot(0), status: true, reason: v1alpha1.ReasonAsExpected},
		{name: "the surplus is leaving", s: snapshot(1, member("a"), member("b", leaving(0))), status: true,
			reason: v1alpha1.ReasonMembersDraining},
		{name: "the surplus can't leave", s: snapshot(1, some(2, "a", protected)...), status: true,
			reason: v1alpha1.ReasonAllProtected, message: "the surplus stays for now"},
		{name: "some of the surplus can't leave", s: snapshot(1, all(some(2, "a", protected), some(1, "b", leaving(0)))...),
			status: true, reason: v1alpha1.ReasonMembersDraining},
		{name: "joining", s: snapshot(2, member("a"), member("b", joining)), reason: v1alpha1.ReasonJoining},
		{name: "creating", s: snapshot(1), reason: v1alpha1.ReasonJoining},
		{name: "more are on their way than asked for", s: snapshot(1, member("a"), member("b", joining)),
			reason: v1alpha1.ReasonJoining},
		{name: "chosen to be replaced", s: tended(all(some(4, "a"), some(1, "b", unhealthy(time.Hour)))),
			reason: v1alpha1.ReasonRepairing},
		{name: "being replaced", s: tended(all(some(4, "a"), some(1, "b", leavingFor(v1alpha1.DrainUnhealthy)))),
			reason: v1alpha1.ReasonRepairing},
		{name: "down", s: snapshot(1, member("a", notReady)), reason: v1alpha1.ReasonMembersNotReady},
		{name: "halted before it joined", s: snapshot(1, member("a", joining, halted)), reason: v1alpha1.ReasonVMStopped,
			message: "of member a"},
		{name: "reclaimed", s: snapshot(1, member("a", reclaimable(0))), reason: v1alpha1.ReasonMembersMissing},
		{name: "deleting", s: snapshot(1, member("a")), change: deleting, reason: v1alpha1.ReasonRemoving},
		{name: "template", s: snapshot(1), change: everything, failed: true, reason: v1alpha1.ReasonImageNotFound},
		{name: "Nomad", s: snapshot(1, member("a")), change: nomadUnknown, reason: v1alpha1.ReasonUnreachable},
		{name: "late", s: snapshot(2, member("a", late), member("b", joining)), reason: v1alpha1.ReasonJoinTimeouts},
		{name: "a failure to join that is over", s: snapshot(1, member("a")), change: withJoins("+-", time.Hour), status: true,
			reason: v1alpha1.ReasonAsExpected},
		{name: "refused", s: snapshot(1), failed: true, reason: v1alpha1.ReasonCreateFailed},
		{name: "no token", s: snapshot(1, member("a", lacks(v1alpha1.ReasonIntroductionToken))),
			reason: v1alpha1.ReasonIntroductionToken, message: "the server's words"},
		{name: "no capacity", s: snapshot(2, member("a"), member("b", noCapacity)), reason: v1alpha1.ReasonVMUnschedulable},
		{name: "paused and short", s: snapshot(2, member("a")), change: paused, reason: v1alpha1.ReasonPaused},
		{name: "paused with a surplus", s: snapshot(0, member("a")), change: paused, reason: v1alpha1.ReasonPaused},
		{name: "paused as wanted", s: snapshot(1, member("a")), change: paused, status: true,
			reason: v1alpha1.ReasonAsExpected},
	})
}

// A pool to which nothing happens writes nothing: what its conditions say must not change by the passing of time.
func TestMessagesDontChangeWithTime(t *testing.T) {
	stabilizing := snapshot(0, member("a"))
	stabilizing.ScaleIn.StabilizationWindow, stabilizing.LastScale = window(time.Hour), now
	unreachable := snapshot(0, member("a"))
	nomadUnknown(&unreachable)
	for name, s := range map[string]pool.Snapshot{
		"steady": snapshot(1, member("a")), "late": snapshot(1, member("a", late)), "stabilizing": stabilizing,
		"unreachable": unreachable, "protected": snapshot(0, member("a", protected)),
		"draining": snapshot(0, member("a", leaving(0))),
	} {
		before := pool.Conditions(s, pool.Decide(s), pool.Outcome{})
		s.Now = s.Now.Add(73 * time.Second)
		if after := pool.Conditions(s, pool.Decide(s), pool.Outcome{}); !reflect.DeepEqual(before, after) {
			t.Errorf("%s: went from %+v to %+v while nothing but time passed", name, before, after)
		}
	}
}
