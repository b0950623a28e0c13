package orphan_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

const grace = 15 * time.Minute

var now = time.Date(2026, 8, 22, 12, 0, 0, 0, time.UTC)

func named(name string) orphan.Key { return orphan.Key{Namespace: "ns", Name: name} }

func resource(kind orphan.Kind, name string) orphan.Resource {
	return orphan.Resource{Kind: kind, Key: named(name), Member: "p-1", PoolUID: "u", Secret: "p-1-aaaaaaaa-cloudinit"}
}

// orphaned is what remains of a member when somebody removes the finalizer of its NomadNode, and its VM.
func orphaned(change ...func(*orphan.Observed)) orphan.Observed {
	o := orphan.Observed{
		Now: now,
		Resources: []orphan.Resource{resource(orphan.Claim, "p-1-root-aaaaaaaa"), resource(orphan.ClientNode, "aaaaaaaa-id"),
			resource(orphan.Claim, "p-1-data-aaaaaaaa")},
		Pools: map[string]orphan.Pool{"u": {}}, Members: map[orphan.Key]bool{}, NodeIDs: map[string]bool{},
		VMs: map[orphan.Key]bool{}, Referenced: map[orphan.Key]bool{},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// after is the plan after several observations of the same.
func after(o orphan.Observed, times ...time.Duration) orphan.Plan {
	var seen orphan.Seen
	var plan orphan.Plan
	for _, d := range times {
		o.Now = now.Add(d)
		plan, seen = orphan.Decide(o, seen, grace)
	}
	return plan
}

func names(ls []orphan.Resource) []string {
	var out []string
	for _, l := range ls {
		out = append(out, string(l.Kind)+" "+l.Name)
	}
	return out
}

func TestWhatIsRemoved(t *testing.T) {
	t.Parallel()
	const secret, node = "secret p-1-aaaaaaaa-cloudinit", "nomad_node aaaaaaaa-id"
	const data, root = "claim p-1-data-aaaaaaaa", "claim p-1-root-aaaaaaaa"
	for _, c := range []struct {
		name   string
		change func(*orphan.Observed)
		want   []string
	}{
		{"all orphans, those that lead to others last", func(*orphan.Observed) {}, []string{secret, data, root, node}},
		{"nothing of a member that has a NomadNode", func(o *orphan.Observed) { o.Members[named("p-1")] = true }, nil},
		{"all of one whose namesake elsewhere has a NomadNode",
			func(o *orphan.Observed) { o.Members[orphan.Key{Namespace: "other", Name: "p-1"}] = true }, []string{secret, data,
				root, node}},
		{"nothing of a member whose VM or instance is there", func(o *orphan.Observed) { o.VMs[named("p-1")] = true }, nil},
		{"nothing of a paused pool", func(o *orphan.Observed) { o.Pools["u"] = orphan.Pool{Paused: true} }, nil},
		{"no Nomad node of a pool that leaves them to Nomad",
			func(o *orphan.Observed) { o.Pools["u"] = orphan.Pool{KeepsNodes: true} }, []string{secret, data, root}},
		{"no Nomad node of a pool that isn't here", func(o *orphan.Observed) { delete(o.Pools, "u") },
			[]string{secret, data, root}},
		{"no Nomad node that a member has the ID of", func(o *orphan.Observed) { o.NodeIDs["aaaaaaaa-id"] = true },
			[]string{secret, data, root}},
		{"no Nomad node that Nomad wasn't asked for", func(o *orphan.Observed) { o.Resources[1].NotAsked = true },
			[]string{secret, data, root}},
		{"no claim that another VM uses", func(o *orphan.Observed) { o.Referenced[named("p-1-data-aaaaaaaa")] = true },
			[]string{secret, root, node}},
		{"no Secret that another VM uses", func(o *orphan.Observed) { o.Referenced[named("p-1-aaaaaaaa-cloudinit")] = true },
			[]string{data, root, node}},
		{"nothing without a pool's UID", func(o *orphan.Observed) {
			for i := range o.Resources {
				o.Resources[i].PoolUID = ""
			}
		}, nil},
		{"nothing without a member's name", func(o *orphan.Observed) {
			for i := range o.Resources {
				o.Resources[i].Member = ""
			}
		}, nil},
		{"the Secret that others lead to, where one doesn't",
			func(o *orphan.Observed) { o.Resources[0].Secret = "" }, []string{secret, data, root, node}},
		{"no Secret where its name doesn't follow", func(o *orphan.Observed) {
			for i := range o.Resources {
				o.Resources[i].Secret = ""
			}
		}, []string{data, root, node}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := names(after(orphaned(c.change), 0, grace).Remove); !slices.Equal(got, c.want) {
				t.Errorf("removed %v, want %v", got, c.want)
			}
		})
	}
}

func TestWhenItIsRemoved(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		runs []time.Duration
		want int
	}{
		{"not at the first observation", []time.Duration{0}, 0},
		{"not before the grace has passed", []time.Duration{0, grace - 1}, 0},
		{"then", []time.Duration{0, grace}, 4},
		{"as long as it is still there", []time.Duration{0, grace, 2 * grace}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := after(orphaned(), c.runs...).Remove; len(got) != c.want {
				t.Errorf("removed %v, want %d", names(got), c.want)
			}
		})
	}
}

func TestGraceRestartsWhenItWasUsedInBetween(t *testing.T) {
	t.Parallel()
	_, seen := orphan.Decide(orphaned(), orphan.Seen{}, grace)
	_, seen = orphan.Decide(
		orphaned(func(o *orphan.Observed) { o.Now = now.Add(time.Minute); o.VMs[named("p-1")] = true }), seen, grace)
	if plan, _ := orphan.Decide(orphaned(func(o *orphan.Observed) { o.Now = now.Add(grace) }), seen, grace); len(
		plan.Remove) > 0 {
		t.Errorf("removed %v", names(plan.Remove))
	}
}

func TestNomadNodeWithoutPoolIsReported(t *testing.T) {
	t.Parallel()
	nomadNode := func(o *orphan.Observed) {
		o.Resources, o.Members[named("p-1")] = []orphan.Resource{resource(orphan.NomadNode, "p-1")}, true
	}
	if plan := after(orphaned(nomadNode), 0, grace); len(plan.Report) > 0 || len(plan.Remove) > 0 {
		t.Errorf("with a pool: reported %v, removed %v", names(plan.Report), names(plan.Remove))
	}
	lost := orphaned(nomadNode, func(o *orphan.Observed) { delete(o.Pools, "u") })
	if plan := after(lost, 0, grace); len(plan.Report) != 1 || len(plan.Remove) > 0 {
		t.Errorf("without: reported %v, removed %v", names(plan.Report), names(plan.Remove))
	}
}

func TestVMWithoutNomadNodeIsReportedOnce(t *testing.T) {
	t.Parallel()
	o := orphaned(func(o *orphan.Observed) {
		o.Resources = append(o.Resources, resource(orphan.VM, "p-1"))
		o.VMs[named("p-1")] = true
	})
	for _, runs := range [][]time.Duration{{0, time.Minute}, {0, grace, grace + 1}, {0, grace, 2 * grace}} {
		if plan := after(o, runs...); len(plan.Report) > 0 || len(plan.Remove) > 0 {
			t.Errorf("after runs at %v: reported %v, removed %v", runs, names(plan.Report), names(plan.Remove))
		}
	}
	if plan := after(o, 0, grace); len(plan.Report) != 1 || len(plan.Remove) > 0 {
		t.Errorf("reported %v, removed %v", names(plan.Report), names(plan.Remove))
	}
}
