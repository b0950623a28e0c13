package scenario

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	eventsv1 "k8s.io/api/events/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// state is the pool at one moment, in numbers.
type state struct{ desired, members, ready, vms, running int }

func (s state) String() string {
	return fmt.Sprintf("desired %d, members %d, ready %d, VMs %d, allocations running %d", s.desired, s.members, s.ready,
		s.vms, s.running)
}

// reporter watches the environment and tells what it sees.
type reporter struct {
	env   *testenv.Environment
	out   io.Writer
	live  bool
	start time.Time

	mu    sync.Mutex
	now   state
	log   []string
	seen  map[string]bool
	gone  map[string]bool // members that were drained
	shown string
	lines int
}

func newReporter(w *testenv.Environment, out io.Writer, live bool) *reporter {
	return &reporter{env: w, out: out, live: live, start: time.Now(), seen: map[string]bool{}, gone: map[string]bool{}}
}

func (t *reporter) state() state { t.mu.Lock(); defer t.mu.Unlock(); return t.now }

// drained is how many members' Nomad nodes were drained, by the events of the members themselves.
func (t *reporter) drained() int { t.mu.Lock(); defer t.mu.Unlock(); return len(t.gone) }

func (t *reporter) report(what string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.line("== " + what)
}

// line tells one line, under the lock.
func (t *reporter) line(s string) {
	s = fmt.Sprintf("%5.1f s  %s", time.Since(t.start).Seconds(), s)
	t.log = append(t.log, s)
	if !t.live {
		fmt.Fprintln(t.out, s)
	}
}

func (t *reporter) run(ctx context.Context, l *ledger) {
	tick := time.NewTicker(300 * time.Millisecond)
	defer tick.Stop()
	for {
		t.poll(ctx, l)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// look reads everything once. What can't be read now is read the next time.
func (t *reporter) poll(ctx context.Context, l *ledger) {
	var pools v1alpha1.NomadNodePoolList
	var nodes v1alpha1.NomadNodeList
	var vms kubevirtv1.VirtualMachineList
	var events eventsv1.EventList
	c := t.env.Client
	if c.List(ctx, &pools, client.InNamespace(fixtures.Namespace)) != nil || c.List(ctx, &nodes, ofPool()...) != nil ||
		c.List(ctx, &vms, ofPool()...) != nil || c.List(ctx, &events, client.InNamespace(fixtures.Namespace)) != nil {
		return
	}
	running, byNode := l.running(), l.byNode()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.events(events.Items)
	t.now = state{members: len(nodes.Items), vms: len(vms.Items), running: running}
	for _, p := range pools.Items {
		if p.Name != PoolName {
			continue
		}
		t.now.desired, t.now.ready = int(p.DesiredReplicas()), int(p.Status.ReadyReplicas)
	}
	t.show(table(t.now, nodes.Items, byNode))
}

func (t *reporter) events(items []eventsv1.Event) {
	slices.SortFunc(items, func(a, b eventsv1.Event) int { return a.EventTime.Compare(b.EventTime.Time) })
	for _, e := range items {
		if ofPool := e.Regarding.Name == PoolName || strings.HasPrefix(e.Regarding.Name, PoolName+"-"); !ofPool ||
			e.ReportingController != "nomad-harvester" ||
			t.seen[string(e.UID)] {
			continue
		}
		t.seen[string(e.UID)] = true
		if e.Reason == "Drained" {
			t.gone[e.Regarding.Name] = true
		}
		t.line(fmt.Sprintf("%-16s %-14s %s", e.Reason, e.Regarding.Name, e.Note))
	}
}

// show draws the table: over the last one on a terminal, else only when it has changed.
func (t *reporter) show(table string) {
	if t.live {
		var b strings.Builder
		if t.lines > 0 {
			fmt.Fprintf(&b, "\x1b[%dA\x1b[J", t.lines)
		}
		tail := t.log[max(0, len(t.log)-12):]
		text := table + strings.Join(tail, "\n") + "\n"
		t.lines = strings.Count(text, "\n")
		b.WriteString(text)
		io.WriteString(t.out, b.String())
		return
	}
	if table != t.shown {
		t.shown = table
		io.WriteString(t.out, table)
	}
}

func table(s state, nodes []v1alpha1.NomadNode, allocs map[string]int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool %s: %s\n", PoolName, s)
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "  MEMBER\tPHASE\tVM\tNODE\tNOMAD\tALLOCS")
	for _, n := range nodes {
		fmt.Fprintf(w, "  %s\t%s\t%s\t%s\t%s\t%d\n", n.Name, n.Status.Phase, n.Status.VM.Status, n.Status.Nomad.ShortID,
			n.Status.Nomad.Status, allocs[n.Spec.NodeID])
	}
	w.Flush()
	return b.String()
}
