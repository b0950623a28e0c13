package orphan_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// anyObservation is an observation of two members whose resources come and go.
func anyObservation(t *rapid.T, at time.Time) orphan.Observed {
	o := orphan.Observed{
		Now: at, Pools: map[string]orphan.Pool{}, Members: map[orphan.Key]bool{}, NodeIDs: map[string]bool{},
		VMs: map[orphan.Key]bool{}, Referenced: map[orphan.Key]bool{}}
	some := func(label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 0 }
	if !some("pool gone") {
		o.Pools["u"] = orphan.Pool{Paused: some("paused"), KeepsNodes: some("keeps nodes")}
	}
	for _, m := range []string{"a", "b"} {
		o.Members[named(m)], o.VMs[named(m)] = some("NomadNode"), some("VM")
		id, secret := m+"-id", m+"-cloudinit"
		o.NodeIDs[id], o.Referenced[named(m+"-root")], o.Referenced[named(secret)] = some("ID"), some(
			"claim used"), some("Secret used")
		for kind, name := range map[orphan.Kind]string{orphan.Claim: m + "-root", orphan.ClientNode: id, orphan.VM: m,
			orphan.NomadNode: m} {
			if !some("no " + string(kind)) {
				o.Resources = append(
					o.Resources,
					orphan.Resource{Kind: kind, Key: named(name), Member: m, PoolUID: "u", Secret: secret,
						NotAsked: kind == orphan.ClientNode && some("unasked")},
				)
			}
		}
	}
	return o
}

// isOrphan is true for a resource that is orphaned at one observation.
func isOrphan(o orphan.Observed, l orphan.Resource) bool {
	present := slices.ContainsFunc(o.Resources, func(x orphan.Resource) bool { return x.Kind == l.Kind && x.Key == l.Key })
	pool, exists := o.Pools["u"]
	free := present && !o.Members[l.Owner()] && !pool.Paused && !o.Referenced[l.Key]
	switch l.Kind {
	case orphan.VM:
		return free
	case orphan.NomadNode:
		return present && !exists
	case orphan.ClientNode:
		return free && !o.VMs[l.Owner()] && exists && !pool.KeepsNodes && !o.NodeIDs[l.Name]
	default:
		return free && !o.VMs[l.Owner()]
	}
}

// A resource is removed exactly when it has been orphaned at every observation of the grace period, and Nomad was asked
// at the last of them. A Secret is removed only with such a resource.
func TestOnlyOldOrphansAreRemoved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var history []orphan.Observed
		var seen orphan.Seen
		at := now
		for range rapid.IntRange(1, 12).Draw(t, "observations") {
			at = at.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "minutes")) * time.Minute)
			o := anyObservation(t, at)
			history = append(history, o)
			plan, next := orphan.Decide(o, seen, grace)
			seen = next
			check(t, history, plan)
		}
	})
}

func check(t *rapid.T, history []orphan.Observed, plan orphan.Plan) {
	o := history[len(history)-1]
	since := func(l orphan.Resource) time.Time {
		first := o.Now.Add(time.Hour)
		for _, past := range slices.Backward(history) {
			if !isOrphan(past, l) {
				break
			}
			first = past.Now
		}
		return first
	}
	removed := map[string]bool{}
	for _, l := range plan.Remove {
		removed[l.Member+string(l.Kind)] = true
		if l.Kind != orphan.Secret && o.Now.Sub(since(l)) < grace {
			t.Fatalf("%v is removed after %s", l, o.Now.Sub(since(l)))
		}
		if l.Kind == orphan.Secret && (o.Referenced[l.Key] || o.Members[l.Owner()] || o.VMs[l.Owner()]) {
			t.Fatalf("Secret %v is removed, which is used", l)
		}
		if !l.Removable() || l.NotAsked {
			t.Fatalf("%v is removed", l)
		}
	}
	for _, l := range o.Resources {
		if due := o.Now.Sub(since(l)) >= grace; l.Removable() && (due && !l.NotAsked) != removed[l.Member+string(l.Kind)] {
			t.Fatalf("%v: due %v, removed %v", l, due, !due)
		}
	}
	if !slices.IsSortedFunc(plan.Remove, func(a, b orphan.Resource) int {
		rank := []orphan.Kind{orphan.Secret, orphan.Claim, orphan.ClientNode}
		return slices.Index(rank, a.Kind) - slices.Index(rank, b.Kind)
	}) {
		t.Fatalf("the order is %v", names(plan.Remove))
	}
}
