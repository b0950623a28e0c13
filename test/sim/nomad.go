package sim

import (
	"errors"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/drainer"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// nomadServer is the truth of one Nomad's servers.
type nomadServer struct {
	w *Environment
	// name is what the trace calls it, and streams is what the names of its random numbers begin with.
	name, streams string
	// address is what spec.nomad.address has for it, and servers are those that its clients join.
	address string
	servers []string

	index  uint64
	nodes  map[string]*node
	order  []string // node IDs, the oldest first
	allocs []*alloc // that live
	jobs   []*job
	made   int    // how many IDs of allocations
	placed uint64 // how many allocations
	// away is until when the servers do nothing: no answers, no drainer, no scheduler.
	away time.Time
	// slow is until when requests take seconds.
	slow    time.Time
	waiting []*cluster
	// ledSince is since when the present leader leads; zero: from the beginning.
	ledSince time.Time
	// readJobLost is until when our token lacks read-job: lists of allocations are empty, without an error.
	readJobLost time.Time
	// spells counts how often it has lost read-job.
	spells int
	// restored is when they were restored from a snapshot last.
	restored time.Time
	// hangs is the chance by which tasks don't stop in time; nil: all do.
	hangs *stream
	// restless servers report each drain as if it were sent, or had ended, just now.
	restless bool
	drainer  drainer.Drainer
	drainsAt time.Time // when it looks next; zero: when something has changed
	// schedulesAt is when the scheduler looks next; zero: when something has changed.
	schedulesAt time.Time
	// past are earlier states, for answers that go back.
	past []snapshot
}

// snapshot is the list of nodes at a moment.
type snapshot struct {
	at    time.Time
	led   time.Time // since when the leader leads
	nodes map[string]nomad.Node
}

// node is a client as the servers see it.
type node struct {
	in          *nomadServer
	id, name    string
	poolUID     string
	owned       bool // a member's, by the meta that it was given
	hidden      bool // a job has taken that out of its meta, so that it isn't listed for the controllers
	hiddenOnce  bool // it was so at some time
	guest       *guest
	status      string
	eligible    bool
	drain       *drain
	last        *nomad.Drain
	stops       bool // the drain that was set last stops at once what is left
	createIndex uint64
	cordonedBy  string    // who made it ineligible
	cordonedAt  time.Time // when
	touched     time.Time // when its drain or eligibility changed last
	registered  time.Time // when it was there first
	undone      time.Time // when an operator canceled its drain, or made it eligible, last
	downSince   time.Time // when it was called down last
	seenAs      *state.Node
}

// drain is a drain that runs.
type drain struct {
	request      string
	onTimeout    nomad.TimeoutAction // as the controllers note it
	force        time.Time           // zero: never
	now          bool                // it stops at once what is left
	late         time.Duration       // how much later than that the drainer acts
	ignoreSystem bool
	unmarked     bool // sent without Meta, as Nomad's UI does: a drain that it changes keeps whose it was said to be
}

func newNomadServer(w *Environment, n nomadServer) *nomadServer {
	n.w, n.nodes, n.index = w, map[string]*node{}, 1
	n.nodes["external"] = &node{in: &n, id: "external", name: "external", status: nomad.NodeReady, eligible: true}
	n.order = []string{"external"}
	return &n
}

// chance is a stream of random numbers of this Nomad's.
func (n *nomadServer) chance(matter string) *stream { return n.w.chance.of(n.streams + matter) }

// note adds a line of this Nomad's to the trace.
func (n *nomadServer) note(about, format string, args ...any) {
	n.w.note(n.name, about, format, args...)
}

// answers reports whether the servers work.
func (n *nomadServer) answers() bool { return !n.w.now.Before(n.away) }

// delay is how much longer than usual a request takes.
func (n *nomadServer) delay(s *stream) time.Duration {
	if n.w.faulty && n.w.now.Before(n.slow) {
		return s.between(0, 4*time.Second)
	}
	return 0
}

// when has the servers do something later, or once they are back.
func (n *nomadServer) when(d time.Duration, what func()) {
	n.w.after(d, func() {
		if n.answers() {
			what()
			return
		}
		n.when(n.away.Sub(n.w.now)+time.Second, what)
	})
}

// soon has the servers do something after a while, unless they do it earlier anyway: at is when; zero: they don't.
func (n *nomadServer) soon(at *time.Time, d time.Duration, do func()) {
	due := n.w.now.Add(d)
	if !at.IsZero() && !due.Before(*at) {
		return
	}
	*at = due
	n.w.after(d, func() {
		if !at.Equal(due) {
			return
		}
		*at = time.Time{}
		if !n.answers() {
			n.soon(at, time.Second, do)
			return
		}
		do()
	})
}

// changed ends the waiting of blocking queries.
func (n *nomadServer) changed() {
	n.index++
	waiting := n.waiting
	n.waiting = nil
	for _, c := range waiting {
		c.answer()
	}
}

// snapshot is the list of nodes that the controllers see.
func (n *nomadServer) snapshot() snapshot {
	out := snapshot{n.w.now, n.ledSince, map[string]nomad.Node{}}
	for _, x := range n.nodes {
		if x.owned && !x.hidden {
			out.nodes[x.id] = n.report(x)
		}
	}
	n.past = append(n.past, out)
	if len(n.past) > 4 {
		n.past = n.past[1:]
	}
	return out
}

func (x *node) seen() nomad.Node {
	out := nomad.Node{
		ID: x.id, Name: x.name, Status: x.status, Eligible: x.eligible, Draining: x.drain != nil,
		CreateIndex: x.createIndex, CPU: 1000, MemoryMB: 1000,
	}
	if x.last != nil {
		last := *x.last
		out.LastDrain = &last
	}
	return out
}

// withMeta adds what only a request for the single node shows.
func (n *nomadServer) withMeta(seen nomad.Node) nomad.Node {
	if x := n.nodes[seen.ID]; x != nil && x.owned && !x.hidden {
		seen.PoolUID, seen.Member = x.poolUID, x.name
	}
	return seen
}

// register is a client's first or next appearance.
func (n *nomadServer) register(g *guest) {
	if !g.lives || g.cut {
		return
	}
	if !n.answers() {
		if !g.knocks {
			g.knocks = true
			n.when(0, func() {
				g.knocks = false
				if !g.joined { // when it was started again, the outage being over earlier than was known
					n.register(g)
				}
			})
		}
		return
	}
	x := n.nodes[g.nodeID]
	if x == nil {
		x = &node{in: n, id: g.nodeID, name: g.name, poolUID: n.w.checks.members[g.name].poolUID, owned: true, eligible: true,
			createIndex: n.index, registered: n.w.now}
		n.nodes[x.id] = x
		n.order = append(n.order, x.id)
	}
	x.guest, x.status, g.joined = g, nomad.NodeInitializing, true
	n.note(g.name, "the client registers")
	n.changed()
	n.when(n.chance("nomad").between(200*time.Millisecond, 3*time.Second), func() {
		if n.nodes[x.id] == x && x.guest == g && g.lives && x.status == nomad.NodeInitializing {
			x.status = nomad.NodeReady
			n.back(x)
			n.note(x.name, "the node is ready")
			n.changed()
			n.evaluate()
		}
	})
}

// lost is called when a client has stopped: its node is down when heartbeats have been missed.
func (n *nomadServer) lost(g *guest) {
	nodeID := g.nodeID
	n.when(n.chance("nomad").between(10*time.Second, 30*time.Second), func() {
		x, same := n.nodes[nodeID], g.nodeID == nodeID
		if x == nil || x.guest != g || same && (g.joined || g.lives && !g.cut) || x.status == nomad.NodeDown {
			return
		}
		if n.disconnected(x) {
			return
		}
		n.down(x)
		for _, a := range n.on(x.id) {
			n.ended(a, "lost")
		}
		n.changed()
		n.drainSoon()
	})
}

func (n *nomadServer) down(x *node) {
	x.status, x.downSince = nomad.NodeDown, n.w.now
	n.note(x.name, "the node is down")
}

// disconnected has a node whose allocations may be out of touch for a while be called so, instead of down.
func (n *nomadServer) disconnected(x *node) bool {
	if x.status == nomad.NodeDisconnected ||
		!slices.ContainsFunc(n.live(x.id), func(a *alloc) bool { return a.job.disconnect > 0 }) {
		return false
	}
	x.status = nomad.NodeDisconnected
	n.note(x.name, "the node is disconnected")
	for _, a := range n.live(x.id) {
		if a.job.disconnect > 0 {
			a.status = "unknown"
			n.when(a.job.disconnect, func() {
				if a.status == "unknown" {
					n.ended(a, "lost")
				}
			})
		} else {
			n.ended(a, "lost")
		}
	}
	n.changed()
	n.when(longest(n.jobs), func() {
		if n.nodes[x.id] == x && x.status == nomad.NodeDisconnected {
			n.down(x)
			for _, a := range n.on(x.id) {
				n.ended(a, "lost") // what had failed
			}
			n.changed()
			n.drainSoon()
		}
	})
	return true
}

// longest is how long a node stays disconnected at most.
func longest(jobs []*job) time.Duration {
	var out time.Duration
	for _, j := range jobs {
		out = max(out, j.disconnect)
	}
	return out
}

// back has the allocations of a node that is in touch again go on.
func (n *nomadServer) back(x *node) {
	for _, a := range n.on(x.id) {
		if a.status == "unknown" {
			a.status = "running"
		}
	}
}

// Whose tokens change nodes.
const us, operator = "token:us", "token:operator"

// errNotFound is worded differently for readers and for writers.
var errNotFound = errors.New("node not found")

func (n *nomadServer) setEligible(nodeID string, eligible bool, by string) error {
	x := n.nodes[nodeID]
	switch {
	case x == nil:
		return errNotFound
	case eligible && x.drain != nil:
		return errDraining
	case x.eligible == eligible:
		return nil
	}
	if !eligible {
		x.cordoned(by, n.w.now)
	}
	if eligible && by == operator {
		x.undone = n.w.now
	}
	x.eligible, x.touched = eligible, n.w.now
	n.changed()
	n.evaluate()
	return nil
}

// cordoned notes who made a node ineligible. An operator who drains one that is ineligible already means it, too.
func (x *node) cordoned(by string, at time.Time) {
	if x.eligible || by == operator {
		x.cordonedBy, x.cordonedAt = by, at
	}
}

// setDrain starts or updates a drain: its deadline counts from now, each time. A nil drain cancels.
func (n *nomadServer) setDrain(nodeID string, d *drain, by string) error {
	x := n.nodes[nodeID]
	if x == nil {
		return errNotFound
	}
	if d == nil {
		if x.drain != nil {
			x.drain = nil
			if by == operator {
				x.undone = n.w.now
			}
			x.last.Status, x.last.UpdatedAt, x.touched = nomad.DrainCanceled, n.w.now.Truncate(time.Second), n.w.now
			n.changed()
		}
		return nil
	}
	if x.drain == nil {
		x.last = &nomad.Drain{StartedAt: n.w.now.Truncate(time.Second)}
	}
	x.last.Status, x.last.AccessorID, x.last.UpdatedAt = nomad.DrainDraining, by, n.w.now.Truncate(time.Second)
	if x.drain != nil && d.unmarked {
		d.request, d.onTimeout = x.drain.request, x.drain.onTimeout
	} else {
		x.last.DrainID, x.last.OnTimeout, x.last.IgnoreSystemJobs = d.request, d.onTimeout, d.ignoreSystem
		x.cordoned(by, n.w.now)
	}
	// Deadlines are late: by a second, or by five when several are bundled.
	d.late = n.chance("drainer").between(0, 4*time.Second)
	x.drain, x.stops, x.eligible, x.touched = d, d.now, false, n.w.now
	n.changed()
	n.drainer.Requested(x.id, n.w.now)
	n.drainSoon()
	return nil
}

// purge forgets a node. Its client, if it lives, registers again at once.
func (n *nomadServer) purge(nodeID string) error {
	x := n.nodes[nodeID]
	if x == nil {
		return errNotFound
	}
	for _, a := range n.on(nodeID) {
		n.ended(a, "lost")
	}
	delete(n.nodes, nodeID)
	n.order = slices.DeleteFunc(n.order, func(s string) bool { return s == nodeID })
	n.changed()
	if g := x.guest; g != nil && g.lives && g.nodeID == nodeID {
		n.when(1400*time.Millisecond, func() {
			if n.nodes[nodeID] == nil {
				n.register(g)
			}
		})
	}
	return nil
}

// lacksReadJob reports whether our token lacks read-job.
func (n *nomadServer) lacksReadJob() bool { return n.w.now.Before(n.readJobLost) }

// grants is another number after each change of what our token may do, even if it has been undone since.
func (n *nomadServer) grants() int {
	if n.lacksReadJob() {
		return 2*n.spells - 1
	}
	return 2 * n.spells
}
