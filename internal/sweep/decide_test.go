package sweep_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/sweep"
)

const grace = 15 * time.Minute

var now = time.Date(2026, 8, 22, 12, 0, 0, 0, time.UTC)

func named(name string) sweep.Key { return sweep.Key{Namespace: "ns", Name: name} }

func leftover(kind sweep.Kind, name string) sweep.Leftover {
	return sweep.Leftover{Kind: kind, Key: named(name), Member: "p-1", PoolUID: "u", Secret: "p-1-aaaaaaaa-cloudinit"}
}

// left is what somebody leaves who takes the finalizer off a NomadNode, and its VM away.
func left(change ...func(*sweep.Observed)) sweep.Observed {
	o := sweep.Observed{
		Now:       now,
		Leftovers: []sweep.Leftover{leftover(sweep.Claim, "p-1-root-aaaaaaaa"), leftover(sweep.NomadNode, "aaaaaaaa-id"), leftover(sweep.Claim, "p-1-data-aaaaaaaa")},
		Pools:     map[string]sweep.Pool{"u": {}}, Members: map[sweep.Key]bool{}, NodeIDs: map[string]bool{},
		Machines: map[sweep.Key]bool{}, Mentioned: map[sweep.Key]bool{},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// after is what is done after so many looks at the same.
func after(o sweep.Observed, times ...time.Duration) sweep.Plan {
	var seen sweep.Seen
	var plan sweep.Plan
	for _, d := range times {
		o.Now = now.Add(d)
		plan, seen = sweep.Decide(o, seen, grace)
	}
	return plan
}

func names(ls []sweep.Leftover) []string {
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
		change func(*sweep.Observed)
		want   []string
	}{
		{"all that is left, what others are found by last", func(*sweep.Observed) {}, []string{secret, data, root, node}},
		{"nothing of a member that has a record", func(o *sweep.Observed) { o.Members[named("p-1")] = true }, nil},
		{"all of one whose namesake elsewhere has a record", func(o *sweep.Observed) { o.Members[sweep.Key{Namespace: "other", Name: "p-1"}] = true }, []string{secret, data, root, node}},
		{"nothing of a member whose VM or instance is there", func(o *sweep.Observed) { o.Machines[named("p-1")] = true }, nil},
		{"nothing of a paused pool", func(o *sweep.Observed) { o.Pools["u"] = sweep.Pool{Paused: true} }, nil},
		{"no Nomad node of a pool that leaves them to Nomad", func(o *sweep.Observed) { o.Pools["u"] = sweep.Pool{KeepsNodes: true} }, []string{secret, data, root}},
		{"no Nomad node of a pool that isn't here", func(o *sweep.Observed) { delete(o.Pools, "u") }, []string{secret, data, root}},
		{"no Nomad node that a member has the ID of", func(o *sweep.Observed) { o.NodeIDs["aaaaaaaa-id"] = true }, []string{secret, data, root}},
		{"no Nomad node that Nomad wasn't asked for", func(o *sweep.Observed) { o.Leftovers[1].Unasked = true }, []string{secret, data, root}},
		{"no claim that another VM uses", func(o *sweep.Observed) { o.Mentioned[named("p-1-data-aaaaaaaa")] = true }, []string{secret, root, node}},
		{"no Secret that another VM uses", func(o *sweep.Observed) { o.Mentioned[named("p-1-aaaaaaaa-cloudinit")] = true }, []string{data, root, node}},
		{"nothing without a pool's UID", func(o *sweep.Observed) {
			for i := range o.Leftovers {
				o.Leftovers[i].PoolUID = ""
			}
		}, nil},
		{"nothing without a member's name", func(o *sweep.Observed) {
			for i := range o.Leftovers {
				o.Leftovers[i].Member = ""
			}
		}, nil},
		{"no Secret where its name doesn't follow", func(o *sweep.Observed) {
			for i := range o.Leftovers {
				o.Leftovers[i].Secret = ""
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
	_, seen := sweep.Decide(left(), sweep.Seen{}, grace)
	_, seen = sweep.Decide(left(func(o *sweep.Observed) { o.Now = now.Add(time.Minute); o.Machines[named("p-1")] = true }), seen, grace)
	if plan, _ := sweep.Decide(left(func(o *sweep.Observed) { o.Now = now.Add(grace) }), seen, grace); len(plan.Remove) > 0 {
		t.Errorf("removed %v", names(plan.Remove))
	}
}

func TestRecordWithoutPoolIsToldOf(t *testing.T) {
	t.Parallel()
	record := func(o *sweep.Observed) {
		o.Leftovers, o.Members[named("p-1")] = []sweep.Leftover{leftover(sweep.Record, "p-1")}, true
	}
	if plan := after(left(record), 0, grace); len(plan.Tell) > 0 || len(plan.Remove) > 0 {
		t.Errorf("with a pool: told of %v, removed %v", names(plan.Tell), names(plan.Remove))
	}
	orphaned := left(record, func(o *sweep.Observed) { delete(o.Pools, "u") })
	if plan := after(orphaned, 0, grace); len(plan.Tell) != 1 || len(plan.Remove) > 0 {
		t.Errorf("without: told of %v, removed %v", names(plan.Tell), names(plan.Remove))
	}
}

func TestVMWithoutRecordIsToldOfOnce(t *testing.T) {
	t.Parallel()
	o := left(func(o *sweep.Observed) {
		o.Leftovers = append(o.Leftovers, leftover(sweep.VM, "p-1"))
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
