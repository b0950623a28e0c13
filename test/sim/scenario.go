package sim

import (
	"maps"
	"slices"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/gc"
	nodectrl "github.com/nomad-harvester/nomad-harvester/controllers/node"
	poolctrl "github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// Scenario is what a seed makes of a schedule. Turning something off leaves the rest as alike as can be.
type Scenario struct {
	Seed   uint64
	Faults Faults
	// Pool is what is asked for in the beginning.
	Pool v1alpha1.NomadNodePoolSpec
	// Boot is how long VM and guest take to come up at most, and Shutdown how long a guest takes to stop.
	Boot, Shutdown time.Duration
	JoinTimeout    time.Duration
	// Span is how long there are faults, and others do things.
	Span time.Duration
	// GCInterval and GCGracePeriod are the garbage collector's.
	GCInterval, GCGracePeriod time.Duration
	// Acts is how many things others do in that time.
	Acts int
	// Without are acts of others that don't happen.
	Without map[string]bool
	off     []string // the names of the faults that were turned off
	// End is what becomes of the pool in the end.
	End Ending
	// Mutation is a deliberate bug; its zero value is none.
	Mutation Mutation
}

// Ending is what becomes of the pool in the end.
type Ending int

// The endings.
const (
	// Stays: the pool must come to rest as asked.
	Stays Ending = iota
	// Deleted: the pool is deleted and nothing may be left.
	Deleted
	// DeletedUnseen: the same, with Nomad gone for good.
	DeletedUnseen
)

// Faults are how often things go wrong: once in so many times; 0: never.
type Faults struct {
	Lag, Errors, Crashes, Conflicts, Freezes int
	// Stalls: Nomad's drainer misses an end. Back: a list of nodes is older than one before.
	Stalls, Back int
	// ClaimsLeft: Harvester doesn't remove a claim. Broken and Late: a guest never joins, or too late.
	ClaimsLeft, Broken, Late int
	// Holds: a claim or a VM that is being deleted stays for minutes.
	Blocks int
	// Outages of Nomad, and second Leaders beside the first: how many.
	Outages, Leaders int
}

// fault is a kind of fault that can be turned off.
type fault struct {
	name string
	off  func(*Faults)
}

var faults = []fault{
	{"crashes",
		func(f *Faults) { f.Crashes = 0 }}, {"errors", func(f *Faults) { f.Errors = 0 }},
	{"conflicts", func(f *Faults) { f.Conflicts = 0 }},
	{"freezes",
		func(f *Faults) { f.Freezes = 0 }}, {"lag", func(f *Faults) { f.Lag = 0 }},
	{"leaders", func(f *Faults) { f.Leaders = 0 }},
	{"outages",
		func(f *Faults) { f.Outages = 0 }}, {"stalls", func(f *Faults) { f.Stalls = 0 }},
	{"back", func(f *Faults) { f.Back = 0 }},
	{"holds",
		func(f *Faults) { f.Blocks = 0 }}, {"claims-left", func(f *Faults) { f.ClaimsLeft = 0 }},
	{"broken", func(f *Faults) { f.Broken = 0 }}, {"late", func(f *Faults) { f.Late = 0 }},
}

// turnOff leaves out a kind of fault.
func (sc Scenario) turnOff(f fault) Scenario {
	f.off(&sc.Faults)
	sc.off = append(slices.Clone(sc.off), f.name)
	return sc
}

// without leaves out an act.
func (sc Scenario) without(name string) Scenario {
	sc.Without = maps.Clone(sc.Without)
	if sc.Without == nil {
		sc.Without = map[string]bool{}
	}
	sc.Without[name] = true
	return sc
}

// Mutation is a deliberate bug, put in at the seams; nil parts change nothing.
type Mutation struct {
	Name    string
	Client  func(*process, client.Client) client.Client
	Live    func(cached client.Client, live client.Reader) client.Reader
	Cluster func(*process, nomad.Cluster) nomad.Cluster
	Pool    func(*process, *poolctrl.Reconciler)
	Node    func(*process, *nodectrl.Reconciler)
	Collect func(*process, *gc.Collector)
}

// FromSeed draws a scenario.
func FromSeed(seed uint64) Scenario {
	s := newChance(seed).of("scenario")
	sc := Scenario{
		Seed: seed, Boot: s.between(5*time.Second, 90*time.Second), Shutdown: s.between(5*time.Second, 90*time.Second),
		JoinTimeout: s.between(2*time.Minute,
			5*time.Minute), Span: s.between(3*time.Minute, 10*time.Minute), Acts: s.IntN(20),
	}
	sc.Faults = Faults{
		Lag: pick(s, 0, 50,
			200), Errors: pick(s, 0, 20, 100), Crashes: pick(s, 0, 20, 60), Conflicts: pick(s, 0, 15),
		Freezes: pick(s, 0, 0, 100),
		Stalls: pick(s, 0, 2,
			8), Back: pick(s, 0, 20), ClaimsLeft: pick(s, 0, 2), Broken: pick(s, 0, 0, 0, 3, 10), Late: pick(s, 0, 0, 6),
		Blocks: pick(s, 0, 0, 8), Outages: pick(s, 0, 0, 1, 2), Leaders: pick(s, 0, 0, 1, 2),
	}
	sc.End = pick(s, Stays, Stays, Stays, Deleted, DeletedUnseen)
	sc.GCInterval, sc.GCGracePeriod = pick(s, 20*time.Second, time.Minute), pick(s, time.Minute, 3*time.Minute)
	sc.Pool = anyPool(s, sc)
	return sc
}
