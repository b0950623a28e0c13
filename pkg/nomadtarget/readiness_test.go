package nomadtarget

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func TestJudge(t *testing.T) {
	condition := func(kind string, status metav1.ConditionStatus, reason string) func(*v1alpha1.NomadNodePool) {
		return func(p *v1alpha1.NomadNodePool) {
			p.Status.Conditions = append(p.Status.Conditions,
				metav1.Condition{Type: kind, Status: status, Reason: reason, Message: "in the server's words"})
		}
	}
	scaling := func(growth v1alpha1.GrowthState, by v1alpha1.BlockedCause) func(*v1alpha1.NomadNodePool) {
		return func(p *v1alpha1.NomadNodePool) {
			p.Status.Scaling = &v1alpha1.ScalingStatus{Growth: growth, BlockedBy: by}
		}
	}
	full := scaling(v1alpha1.GrowthBlocked, v1alpha1.BlockedByQuota)
	words := func(kind string) func(*v1alpha1.NomadNodePool) {
		return condition(kind, metav1.ConditionFalse, "Whatever")
	}
	missing := func(p *v1alpha1.NomadNodePool) { p.Status.Replicas, p.Status.ReadyReplicas = 2, 2 }
	type edits []func(*v1alpha1.NomadNodePool)
	for _, c := range []struct {
		name   string
		edits  edits
		ready  bool
		reason string
	}{
		{"settled", nil, true, reasonComplete},
		{"draining members don't count", edits{func(p *v1alpha1.NomadNodePool) { p.Status.DrainingReplicas = 2 }}, true,
			reasonComplete},
		{"more ready than wanted, before the victims are chosen",
			edits{func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](1) }}, true, reasonComplete},
		{"no members wanted", edits{func(p *v1alpha1.NomadNodePool) {
			p.Spec.Replicas, p.Status.Replicas, p.Status.ReadyReplicas = ptr.To[int32](0), 0, 0
		}}, true, reasonComplete},
		{"joining", edits{func(p *v1alpha1.NomadNodePool) { p.Status.ReadyReplicas, p.Status.JoiningReplicas = 2, 1 }}, false,
			reasonJoining},
		{"joining beyond replicas, in a rollout", edits{func(p *v1alpha1.NomadNodePool) { p.Status.JoiningReplicas = 1 }},
			true, reasonComplete},
		{"past joinTimeout",
			edits{func(p *v1alpha1.NomadNodePool) { p.Status.ReadyReplicas, p.Status.UnhealthyReplicas = 2, 1 }}, true,
			reasonComplete},
		{"not made yet", edits{missing}, false, reasonCreating},
		{"blocked, and nobody is missing", edits{scaling(v1alpha1.GrowthBlocked, v1alpha1.BlockedByTemplate), words(v1alpha1.PoolTemplateValid)}, true, reasonCreationBlocked},
		{"blocked by a quota", edits{missing, full, words(v1alpha1.PoolTemplateValid)}, true, reasonCreationBlocked},
		{"blocked by members that don't join",
			edits{scaling(v1alpha1.GrowthBlocked, v1alpha1.BlockedByJoins), words(v1alpha1.PoolJoinsHealthy)}, true,
			reasonCreationBlocked},
		{"blocked by full hosts",
			edits{missing, scaling(v1alpha1.GrowthBlocked, v1alpha1.BlockedByCapacity), words(v1alpha1.PoolScalingOut)}, true,
			reasonCreationBlocked},
		{"blocked by what a later version knows",
			edits{missing, scaling(v1alpha1.GrowthBlocked, "Meteorite"), words(v1alpha1.PoolScalingOut)}, true,
			reasonCreationBlocked},
		{"not blocked, whatever the conditions say", edits{missing, scaling(v1alpha1.GrowthPossible, ""),
			condition(v1alpha1.PoolScalingOut, metav1.ConditionTrue, "Whatever")}, false, reasonCreating},
		{"blocked, but some still join", edits{missing, full, words(v1alpha1.PoolTemplateValid),
			func(p *v1alpha1.NomadNodePool) { p.Status.JoiningReplicas = 1 }}, false, reasonJoining},
		{"blocked, and not observed",
			edits{full, words(v1alpha1.PoolTemplateValid), func(p *v1alpha1.NomadNodePool) { p.Generation++ }}, false,
			reasonNotObserved},
		{"not observed", edits{func(p *v1alpha1.NomadNodePool) { p.Generation++ }}, false, reasonNotObserved},
		{"never observed", edits{func(p *v1alpha1.NomadNodePool) { p.Status = v1alpha1.NomadNodePoolStatus{} }}, false,
			reasonNotObserved},
		{"paused", edits{func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = true }}, false, reasonPaused},
		{"deleting", edits{func(p *v1alpha1.NomadNodePool) {
			p.DeletionTimestamp = &metav1.Time{Time: time.Unix(1, 0)}
			p.Spec.Paused = true
		}}, false, reasonDeleting},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := complete(3)
			for _, edit := range c.edits {
				edit(p)
			}
			v := judge(p)
			if v.ready != c.ready || v.reason != c.reason || v.message == "" {
				t.Errorf("judge = %+v; want ready %v, reason %s", v, c.ready, c.reason)
			}
			if c.reason == reasonCreationBlocked && !strings.Contains(v.message, "in the server's words") {
				t.Errorf("message %q doesn't repeat the condition's", v.message)
			}
		})
	}
}

// What blocks growth is named though no condition says it.
func TestABlockWithoutWords(t *testing.T) {
	p := complete(3)
	p.Status.Scaling = &v1alpha1.ScalingStatus{Growth: v1alpha1.GrowthBlocked, BlockedBy: v1alpha1.BlockedByToken}
	if v := judge(p); v.reason != reasonCreationBlocked || !strings.HasSuffix(v.message, string(v1alpha1.BlockedByToken)) {
		t.Errorf("judge = %+v", v)
	}
}

// Whatever the numbers are: ready means that nothing joins and nothing may still come; and once all members that are
// missing have run into joinTimeout, the pool is ready, so that a policy is never frozen.
func TestJudgeIsBounded(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		few := rapid.Int32Range(0, 5)
		p := complete(few.Draw(t, "replicas"))
		p.Status.ReadyReplicas = few.Draw(t, "ready")
		p.Status.JoiningReplicas = few.Draw(t, "joining")
		p.Status.UnhealthyReplicas = few.Draw(t, "unhealthy")
		p.Status.DrainingReplicas = few.Draw(t, "draining")
		v := judge(p)
		coming := p.Status.ReadyReplicas+p.Status.UnhealthyReplicas < p.DesiredReplicas()
		if v.ready == coming {
			t.Fatalf("ready %v while members to come: %v (%+v)", v.ready, coming, p.Status)
		}
		p.Status.UnhealthyReplicas += p.Status.JoiningReplicas + p.DesiredReplicas()
		p.Status.JoiningReplicas = 0
		if v := judge(p); !v.ready {
			t.Fatalf("still not ready after every joinTimeout: %+v", v)
		}
	})
}
