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

func leftover(kind orphan.Kind, name string) orphan.Resource {
	return orphan.Resource{Kind: kind, Key: named(name), Member: "p-1", PoolUID: "u", Secret: "p-1-aaaaaaaa-cloudinit"}
}

// left is what somebody leaves who takes the finalizer off a NomadNode, and its VM away.
func left(change ...func(*orphan.Observed)) orphan.Observed {
	o := orphan.Observed{
		Now: now,
		Resources: []orphan.Resource{leftover(orphan.Claim, "p-1-root-aaaaaaaa"), leftover(orphan.ClientNode, "aaaaaaaa-id"),
			leftover(orphan.Claim, "p-1-data-aaaaaaaa")},
		Pools: map[string]orphan.Pool{"u": {}}, Members: map[orphan.Key]bool{}, NodeIDs: map[string]bool{},
		Machines: map[orphan.Key]bool{}, Mentioned: map[orphan.Key]bool{},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// after is what is done after so many looks at the same.
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

func TestWhatIsSwept(t *testing.T) {
	t.Parallel()
	const secret, data, root, node = "secret p-1-aaaaaaaa-cloudinit", "claim p-1-data-aaaaaaaa", "claim p-1-root-aaaaaaaa", "nomad_node aaaaaaaa-id"
	for _, c := range []struct {
		name   string
		change func(*orphan.Observed)
		want   []string
	}{
		{"all that is left, what others are found by last", func(*orphan.Observed) {}, []string{secret, data, root, node}},
		{"nothing of a member that has a record", func(o *orphan.Observed) { o.Members[named("p-1")] = true }, nil},
		{"all of one whose namesake elsewhere has a record", func(o *orphan.Observed) { o.Members[orphan.Key{Namespace: "other", Name: "p-1"}] = true }, []string{secret, data, root, node}},
		{"nothing of a member whose VM or instance is there", func(o *orphan.Observed) { o.Machines[named("p-1")] = true }, nil},
		{"nothing of a paused pool", func(o *orphan.Observed) { o.Pools["u"] = orphan.Pool{Paused: true} }, nil},
		{"no Nomad node of a pool that leaves them to Nomad", func(o *orphan.Observed) { o.Pools["u"] = orphan.Pool{KeepsNodes: true} }, []string{secret, data, root}},
		{"no Nomad node of a pool that isn't here", func(o *orphan.Observed) { delete(o.Pools, "u") }, []string{secret, data, root}},
		{"no Nomad node that a member has the ID of", func(o *orphan.Observed) { o.NodeIDs["aaaaaaaa-id"] = true }, []string{secret, data, root}},
		{"no Nomad node that Nomad wasn't asked for", func(o *orphan.Observed) { o.Resources[1].Unasked = true }, []string{secret, data, root}},
		{"no claim that another VM uses", func(o *orphan.Observed) { o.Mentioned[named("p-1-data-aaaaaaaa")] = true }, []string{secret, root, node}},
		{"no Secret that another VM uses", func(o *orphan.Observed) { o.Mentioned[named("p-1-aaaaaaaa-cloudinit")] = true }, []string{data, root, node}},
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
		{"no Secret where its name doesn't follow", func(o *orphan.Observed) {
			for i := range o.Resources {
				o.Resources[i].Secret = ""
			}
		}, []string{data, root, node}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := names(after(left(c.change), 0, grace).Remove); !slices.Equal(got, c.want) {
				t.Errorf("removed %v, want %v", got, c.want)
			}
		})
	}
}

func TestWhenItIsSwept(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		looks []time.Duration
		want  int
	}{
		{"not at the first look", []time.Duration{0}, 0},
		{"not before the grace has passed", []time.Duration{0, grace - 1}, 0},
		{"then", []time.Duration{0, grace}, 4},
		{"as long as it is still there", []time.Duration{0, grace, 2 * grace}, 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			if got := after(left(), c.looks...).Remove; len(got) != c.want {
				t.Errorf("removed %v, want %d", names(got), c.want)
			}
		})
	}
}

func TestGraceBeginsAnewWhenItWasUsedInBetween(t *testing.T) {
	t.Parallel()
	_, seen := orphan.Decide(left(), orphan.Seen{}, grace)
	_, seen = orphan.Decide(
		left(func(o *orphan.Observed) { o.Now = now.Add(time.Minute); o.Machines[named("p-1")] = true }), seen, grace)
	if plan, _ := orphan.Decide(left(func(o *orphan.Observed) { o.Now = now.Add(grace) }), seen, grace); len(
		plan.Remove) > 0 {
		t.Errorf("removed %v", names(plan.Remove))
	}
}

func TestRecordWithoutPoolIsToldOf(t *testing.T) {
	t.Parallel()
	record := func(o *orphan.Observed) {
		o.Resources, o.Members[named("p-1")] = []orphan.Resource{leftover(orphan.NomadNode, "p-1")}, true
	}
	if plan := after(left(record), 0, grace); len(plan.Tell) > 0 || len(plan.Remove) > 0 {
		t.Errorf("with a pool: told of %v, removed %v", names(plan.Tell), names(plan.Remove))
	}
	orphaned := left(record, func(o *orphan.Observed) { delete(o.Pools, "u") })
	if plan := after(orphaned, 0, grace); len(plan.Tell) != 1 || len(plan.Remove) > 0 {
		t.Errorf("without: told of %v, removed %v", names(plan.Tell), names(plan.Remove))
	}
}

func TestVMWithoutRecordIsToldOfOnce(t *testing.T) {
	t.Parallel()
	o := left(func(o *orphan.Observed) {
		o.Resources = append(o.Resources, leftover(orphan.VM, "p-1"))
		o.Machines[named("p-1")] = true
	})
	for _, looks := range [][]time.Duration{{0, time.Minute}, {0, grace, grace + 1}, {0, grace, 2 * grace}} {
		if plan := after(o, looks...); len(plan.Tell) > 0 || len(plan.Remove) > 0 {
			t.Errorf("after looks at %v: told of %v, removed %v", looks, names(plan.Tell), names(plan.Remove))
		}
	}
	if plan := after(o, 0, grace); len(plan.Tell) != 1 || len(plan.Remove) > 0 {
		t.Errorf("told of %v, removed %v", names(plan.Tell), names(plan.Remove))
	}
}
