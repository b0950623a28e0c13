package drainer

import (
	"maps"
	"slices"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

const (
	// batchWindow is for how long requests to migrate are gathered.
	batchWindow = time.Second
	// deadlineWindow is how late a deadline is acted on (facts/nomad.md §2).
	deadlineWindow = time.Second
	// observeDelay is how long it takes until a node is looked at.
	observeDelay = 50 * time.Millisecond
)

// Drainer is what the drainer remembers from one observation to the next; its zero value remembers nothing, as that of
// a new leader.
type Drainer struct {
	Quirks Quirks
	// due are the nodes whose end is to be looked at, and when.
	due map[string]time.Time
	// batch are the allocations to be marked, and flush when; zero: none wait.
	batch []string
	flush time.Time
	// marked are those that were, until their end is seen.
	known map[string]bool
}

// View is what the drainer looks at.
type View interface {
	// Draining are the nodes with a drain strategy.
	Draining() []*state.Node
	// OnNode are the allocations on a node.
	OnNode(id string) []*api.Allocation
	// OfJob are the allocations of a job.
	OfJob(namespace, id string) []*api.Allocation
}

// Done says that a node has been drained.
type Done struct {
	NodeID string
	// DeadlineReached: not by itself.
	DeadlineReached bool
}

// Actions are what is to be done now.
type Actions struct {
	// Migrate are the IDs of allocations to be marked for migration.
	Migrate []string
	// Complete are the nodes whose drain is over.
	Complete []Done
	// Wake is when to look again at the latest; zero: when something has changed.
	Wake time.Time
}

// Requested notes that a drain was asked for, or asked for again.
func (d *Drainer) Requested(nodeID string, now time.Time) { d.observe(nodeID, now.Add(observeDelay)) }

// Ended notes that an allocation has come to its end. The end of one of a sysbatch job is noticed by nobody
// (facts/nomad.md §2 stall 1), nor is one of a service or batch job that falls into the time for which requests to
// migrate are gathered (stall 2; of batch jobs seen of 1.11.3).
func (d *Drainer) Ended(a *api.Allocation, now time.Time) {
	kind := ""
	if a.Job != nil {
		kind = state.Value(a.Job.Type)
	}
	if kind == state.TypeSysBatch && d.Quirks.SysBatchStall != Never {
		return
	}
	if (kind == state.TypeService || kind == state.TypeBatch) && !d.flush.IsZero() && d.Quirks.ConcurrentStall != Never {
		return
	}
	d.observe(a.NodeID, now.Add(observeDelay))
}

func (d *Drainer) observe(nodeID string, at time.Time) {
	if d.due == nil {
		d.due = map[string]time.Time{}
	}
	if was, ok := d.due[nodeID]; !ok || at.Before(was) {
		d.due[nodeID] = at
	}
}

// Decide looks at all that drains.
func (d *Drainer) Decide(v View, now time.Time) Actions {
	var a Actions
	draining := v.Draining()
	d.forget(draining)
	for _, n := range draining {
		d.node(v, n, now, &a)
	}
	d.services(v, draining, now)
	if !d.flush.IsZero() && !now.Before(d.flush) {
		a.Migrate = append(a.Migrate, d.batch...)
		for _, id := range d.batch {
			d.mark(id)
		}
		d.batch, d.flush = nil, time.Time{}
	}
	a.wakeAt(d.flush)
	for _, at := range d.due {
		a.wakeAt(at)
	}
	slices.Sort(a.Migrate)
	a.Migrate = slices.Compact(a.Migrate)
	return a
}

// forget drops what there was to be looked at of nodes that don't drain any more.
func (d *Drainer) forget(draining []*state.Node) {
	maps.DeleteFunc(d.due, func(id string, _ time.Time) bool {
		return !slices.ContainsFunc(draining, func(n *state.Node) bool { return n.ID == id })
	})
}

func (a *Actions) wakeAt(at time.Time) {
	if !at.IsZero() && (a.Wake.IsZero() || at.Before(a.Wake)) {
		a.Wake = at
	}
}

func (d *Drainer) mark(id string) {
	if d.known == nil {
		d.known = map[string]bool{}
	}
	d.known[id] = true
}

// node ends the drain of a node that is down, past its deadline, or empty of all that is waited for.
func (d *Drainer) node(v View, n *state.Node, now time.Time, a *Actions) {
	live := liveOn(v, n)
	if n.Status == state.NodeDown {
		delete(d.due, n.ID)
		a.Complete = append(a.Complete, Done{NodeID: n.ID})
		return
	}
	if at, has := forcedAt(n); has {
		if !now.Before(at) {
			d.force(n, live, a)
			return
		}
		a.wakeAt(at)
	}
	at, due := d.due[n.ID]
	if !due || now.Before(at) {
		return
	}
	delete(d.due, n.ID)
	if slices.ContainsFunc(live, func(x *api.Allocation) bool { return !last(x) }) {
		return
	}
	// What goes last is stopped, and the drain is called complete though it still runs (facts/nomad.md §2).
	for _, x := range live {
		a.Migrate = append(a.Migrate, x.ID)
	}
	a.Complete = append(a.Complete, Done{NodeID: n.ID})
}

// force stops all that is left, and calls the drain complete at once.
func (d *Drainer) force(n *state.Node, live []*api.Allocation, a *Actions) {
	delete(d.due, n.ID)
	for _, x := range live {
		a.Migrate = append(a.Migrate, x.ID)
	}
	a.Complete = append(a.Complete, Done{NodeID: n.ID, DeadlineReached: true})
}

// forcedAt is when the deadline is acted on; there is none with a deadline of 0, and one below 0 is over.
func forcedAt(n *state.Node) (time.Time, bool) {
	switch s := n.DrainStrategy; {
	case s.Deadline < 0:
		return time.Time{}, true
	case s.Deadline == 0:
		return time.Time{}, false
	default:
		return s.ForceDeadline.Add(deadlineWindow), true
	}
}

// liveOn are the allocations of a node that the drain is about.
func liveOn(v View, n *state.Node) []*api.Allocation {
	var live []*api.Allocation
	for _, a := range v.OnNode(n.ID) {
		if state.Terminal(a) || n.DrainStrategy.IgnoreSystemJobs && last(a) {
			continue
		}
		live = append(live, a)
	}
	return live
}

// last reports if the allocation is of those that are stopped last.
func last(a *api.Allocation) bool {
	return a.Job != nil && state.Value(a.Job.Type) == state.TypeSystem
}

// services asks for as many migrations as each group's max_parallel leaves (facts/nomad.md §2).
func (d *Drainer) services(v View, draining []*state.Node, now time.Time) {
	groups := map[string][]*api.Allocation{}
	for _, n := range draining {
		if n.Status == state.NodeDown {
			continue
		}
		for _, a := range v.OnNode(n.ID) {
			if a.Job != nil && state.Value(a.Job.Type) == state.TypeService && !state.Terminal(a) {
				key := state.Key(state.Key(a.Namespace, a.JobID), a.TaskGroup)
				groups[key] = append(groups[key], a)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(groups)) {
		d.group(v, groups[key], now)
	}
}

func (d *Drainer) group(v View, onDraining []*api.Allocation, now time.Time) {
	first := onDraining[0]
	count, parallel := 0, 1
	for _, g := range first.Job.TaskGroups {
		if state.Value(g.Name) != first.TaskGroup {
			continue
		}
		count = state.Value(g.Count)
		if g.Migrate != nil {
			parallel = max(1, state.Value(g.Migrate.MaxParallel))
		}
	}
	healthy := 0
	for _, a := range v.OfJob(first.Namespace, first.JobID) {
		if a.TaskGroup == first.TaskGroup && !state.Terminal(a) && !d.leaves(a) && isHealthy(a) {
			healthy++
		}
	}
	spare := healthy - (count - parallel)
	slices.SortFunc(onDraining, func(a, b *api.Allocation) int { return int(int64(a.CreateIndex) - int64(b.CreateIndex)) })
	for _, a := range onDraining {
		if spare <= 0 {
			return
		}
		if d.leaves(a) {
			continue
		}
		d.batch = append(d.batch, a.ID)
		if d.flush.IsZero() {
			d.flush = now.Add(batchWindow)
		}
		spare--
	}
}

// leaves reports if the allocation is on its way already.
func (d *Drainer) leaves(a *api.Allocation) bool {
	return state.ServerTerminal(a) || a.DesiredTransition.Migrate != nil && *a.DesiredTransition.Migrate ||
		d.known[a.ID] && a.DesiredStatus != state.DesiredRun ||
		slices.Contains(d.batch, a.ID)
}

func isHealthy(a *api.Allocation) bool {
	return a.DeploymentStatus != nil && a.DeploymentStatus.Healthy != nil && *a.DeploymentStatus.Healthy
}
