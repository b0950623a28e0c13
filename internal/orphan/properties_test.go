package orphan_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// anyLook is a look at a small world: two members, whose things come and go.
func anyLook(t *rapid.T, at time.Time) orphan.Observed {
	o := orphan.Observed{
		Now: at, Pools: map[string]orphan.Pool{}, Members: map[orphan.Key]bool{}, NodeIDs: map[string]bool{},
		Machines: map[orphan.Key]bool{}, Mentioned: map[orphan.Key]bool{}}
	some := func(label string) bool { return rapid.IntRange(0, 9).Draw(t, label) == 0 }
	if !some("pool gone") {
		o.Pools["u"] = orphan.Pool{Paused: some("paused"), KeepsNodes: some("keeps nodes")}
	}
	for _, m := range []string{"a", "b"} {
		o.Members[named(m)], o.Machines[named(m)] = some("record"), some("machine")
		id, secret := m+"-id", m+"-cloudinit"
		o.NodeIDs[id], o.Mentioned[named(m+"-root")], o.Mentioned[named(secret)] = some("ID"), some(
			"claim used"), some("Secret used")
		for kind, name := range map[orphan.Kind]string{orphan.Claim: m + "-root", orphan.ClientNode: id, orphan.VM: m, orphan.NomadNode: m} {
			if !some("no " + string(kind)) {
				o.Resources = append(
					o.Resources,
					orphan.Resource{Kind: kind, Key: named(name), Member: m, PoolUID: "u", Secret: secret,
						Unasked: kind == orphan.ClientNode && some("unasked")},
				)
			}
		}
	}
	return o
}

// orphan is true for something that is nobody's at one look.
func isOrphan(o orphan.Observed, l orphan.Resource) bool {
	present := slices.ContainsFunc(o.Resources, func(x orphan.Resource) bool { return x.Kind == l.Kind && x.Key == l.Key })
	pool, exists := o.Pools["u"]
	free := present && !o.Members[l.Owner()] && !pool.Paused && !o.Mentioned[l.Key]
	switch l.Kind {
	case orphan.VM:
		return free
	case orphan.NomadNode:
		return present && !exists
	case orphan.ClientNode:
		return free && !o.Machines[l.Owner()] && exists && !pool.KeepsNodes && !o.NodeIDs[l.Name]
	default:
		return free && !o.Machines[l.Owner()]
	}
}

// Something is removed exactly when it has been nobody's at every look of the grace, and Nomad was asked at the last
// of them; and a Secret only with such a thing.
func TestOnlyWhatIsNobodysForLongIsRemoved(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var history []orphan.Observed
		var seen orphan.Seen
		at := now
		for range rapid.IntRange(1, 12).Draw(t, "looks") {
			at = at.Add(time.Duration(rapid.IntRange(1, 10).Draw(t, "minutes")) * time.Minute)
			o := anyLook(t, at)
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
		if l.Kind == orphan.Secret && (o.Mentioned[l.Key] || o.Members[l.Owner()] || o.Machines[l.Owner()]) {
			t.Fatalf("Secret %v is removed, which is used", l)
		}
		if !l.Removable() || l.Unasked {
			t.Fatalf("%v is removed", l)
		}
	}
	for _, l := range o.Resources {
		if due := o.Now.Sub(since(l)) >= grace; l.Removable() && (due && !l.Unasked) != removed[l.Member+string(l.Kind)] {
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
