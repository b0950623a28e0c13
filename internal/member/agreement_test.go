package member_test

import (
	"slices"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// readBack is a member's NomadNode after its description was written.
func readBack(o nodestate.State, d decided) nodestate.Node {
	r := o.Node
	r.Name, r.Revision, r.Phase, r.BlockedBy, r.LastConditions = "a", "r", d.Phase, d.BlockedBy, d.Conditions
	r.Joined, r.JoinedAt, r.UnhealthyTime = !d.JoinedTime.IsZero() || r.Joined, d.JoinedTime, d.UnhealthyTime
	r.CapacityAvailableTime, r.VMMade = d.CapacityAvailableTime, r.VMMade || o.VM.Owned
	r.Ready, r.ReadySince = d.Conditions[v1alpha1.NodeReady].Status == metav1.ConditionTrue, o.Now
	r.IDTaken = o.Nomad.External != ""
	return r
}

// What is said of a member isn't denied by what is said of its pool, of which it is the only one.
func TestPoolAndMemberSayTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := reachable(t)
		o.Node.VMMade = o.Node.VMMade || o.VM.Owned // the first status that is written has it
		d := decide(o)
		if o.Nomad.NotAsked || d.Step == member.RequestDrain || o.Node.Drained && !o.Node.Leaving() {
			return // the pool writes nothing yet, or the member leaves in a moment, or can't be drained without a request
		}
		s := pool.Snapshot{Now: o.Now, Replicas: 1, Revision: "r", NomadKnown: o.Nomad.Known,
			NomadReason: v1alpha1.ReasonReachable, NomadMessage: "Nomad.",
			Members: []pool.Member{pool.MemberOf(nodestate.State{Now: o.Now, Node: readBack(o, d), Nomad: o.Nomad})}}
		c, n := pool.Conditions(s, pool.Decide(s), pool.Outcome{}), pool.Count(s)
		must := func(ok bool, what string) {
			if !ok {
				t.Errorf("%s: phase %s, blocked by %q, %+v; the pool: %+v, %+v", what, d.Phase, d.BlockedBy, d.Conditions, n, c)
			}
		}
		leaving := []v1alpha1.NodePhase{v1alpha1.NodeDraining, v1alpha1.NodePhaseDrained, v1alpha1.NodeDeleting,
			v1alpha1.NodePurging}
		coming := []v1alpha1.NodePhase{v1alpha1.NodePending, v1alpha1.NodeProvisioning, v1alpha1.NodeJoining}
		must((n.Draining == 1) == slices.Contains(leaving, d.Phase), "both say that it leaves, or neither does")
		must((n.Ready == 1) == (d.Phase == v1alpha1.NodePhaseReady), "both say that it works, or neither does")
		must(n.Joining == 0 || slices.Contains(coming, d.Phase), "it comes, if the pool says so")
		must(c[v1alpha1.PoolReady].Status != metav1.ConditionTrue ||
			d.Conditions[v1alpha1.NodeReady].Status == metav1.ConditionTrue, "a pool that is Ready has a member that is")
	})
}
