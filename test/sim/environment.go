package sim

import (
	"container/heap"
	"fmt"
	"time"
)

// epoch is when each schedule begins.
var epoch = time.Date(2026, 1, 5, 10, 0, 0, 0, time.UTC)

// Environment is everything there is in one schedule.
type Environment struct {
	Scenario

	now    time.Time
	events eventHeap
	seq    uint64
	chance *chance

	store *store
	nomad *nomadServer // where pools begin
	other *nomadServer // another Nomad, to which some move
	// further are those of a large fleet; schedules have none.
	further []*nomadServer
	home    *nomadServer // where the controllers' own address leads to
	led     time.Time    // when it was led to another last
	// unsignaled is when something last changed that no watch tells the controllers: they see it within
	// nomadlink.Refresh.
	unsignaled time.Time
	kubevirt   *kubevirt
	harvester  *harvester
	fleet      *fleet // nil: a schedule, with one pool
	processes  []*process
	running    *task
	mislaid    *stream   // the chance by which guests lack their ID; nil: none do
	faulty     bool      // faults may happen; false in the end
	calm       time.Time // since when there are none
	checks     *checks
	trace      *trace
	ids        uint64
	steps      int
	crashes    int
	writes     int // of our processes, to Kubernetes and to Nomad
}

// Now is the virtual time.
func (w *Environment) Now() time.Time { return w.now }

// Since is the virtual time that has passed since t.
func (w *Environment) Since(t time.Time) time.Duration { return w.now.Sub(t) }

type event struct {
	at   time.Time
	seq  uint64
	what func()
}

type eventHeap []event

func (h eventHeap) Len() int { return len(h) }
func (h eventHeap) Less(i, j int) bool {
	if !h[i].at.Equal(h[j].at) {
		return h[i].at.Before(h[j].at)
	}
	return h[i].seq < h[j].seq
}
func (h eventHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }

// Push is heap.Interface's.
func (h *eventHeap) Push(x any) { *h = append(*h, x.(event)) }

// Pop is heap.Interface's.
func (h *eventHeap) Pop() any {
	old := *h
	last := len(old) - 1
	e := old[last]
	old[last] = event{}
	*h = old[:last]
	return e
}

// after has something happen later.
func (w *Environment) after(d time.Duration, what func()) {
	w.seq++
	heap.Push(&w.events, event{at: w.now.Add(max(d, 0)), seq: w.seq, what: what})
}

// mostSteps bounds a schedule: one that takes more has something in it that never rests.
const mostSteps = 400_000

// run lets time pass until the moment has come, or something was violated.
func (w *Environment) run(until time.Time) {
	for len(w.events) > 0 && !w.events[0].at.After(until) && !w.checks.failed() {
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		e.what()
		if w.steps++; w.steps > mostSteps && w.fleet == nil {
			w.violate("I7", "", "no end after %d steps", w.steps)
		}
	}
	if !w.checks.failed() {
		w.now = until
	}
}

// newID makes UUIDs, the same ones each time.
func (w *Environment) newID() string {
	w.ids++
	// Spread out, so that the first part, which names are made of, differs.
	spread := w.ids * 0x9e3779b97f4a7c15
	return fmt.Sprintf("%08x-%04x-4%03x-8%03x-%012x", uint32(spread>>32), uint16(spread>>16), spread&0xfff, w.ids&0xfff,
		w.ids)
}
