package sim

import (
	"fmt"
	"time"

	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Fleet is what one controller looks after: how many pools, and how many members each of them has. The pools lead to
// several Nomads by turns.
type Fleet struct{ Pools, Members int }

// perNomad is how many members one Nomad has at most: the controller reads no more than 10,000 nodes of one
// (internal/nomad: maxNodes), and a rollout makes some in addition.
const perNomad = 8000

// Nomads is how many Nomads the fleet has, two at least.
func (f Fleet) Nomads() int { return max(2, (f.Pools*f.Members+perNomad-1)/perNomad) }

// fleetWorkers is how many members are reconciled at the same time: what --workers is by default.
const fleetWorkers = 16

// fleet is the environment of many pools, without faults, operators and jobs. Schedules check the invariants, at each
// write; here only what each scene leaves behind is checked, as all that would take too long with thousands of members.
type fleet struct {
	Fleet
	w      *Environment
	counts counts
	// quiet is since when nothing has been written to Kubernetes.
	quiet time.Time
}

// counts are what the controllers have done.
type counts struct {
	writes, reads                    int // of the API server
	nomad                            int // requests, lists among them
	poolReconciles, memberReconciles int // reconciles
	thisSecond, mostASecond          int // writes
	second                           time.Time
}

func newFleet(f Fleet) *fleet {
	sc := Scenario{Seed: 1, Boot: time.Minute, Shutdown: 20 * time.Second, JoinTimeout: 10 * time.Minute,
		GCInterval: 5 * time.Minute, GCGracePeriod: 15 * time.Minute}
	w := assemble(sc, noChecks)
	for i := 2; i < f.Nomads(); i++ {
		w.further = append(w.further, newNomadServer(w, furtherNomad(i)))
	}
	w.furnish()
	w.fleet = &fleet{Fleet: f, w: w}
	w.store.watchers = append(w.store.watchers, w.fleet.knows)
	for i := range f.Pools {
		p := &v1alpha1.NomadNodePool{Spec: basePool()}
		p.Namespace, p.Name, p.Spec.Replicas = namespace, poolOfFleet(i), ptr.To[int32](0)
		if n := w.nomads()[i%f.Nomads()]; n != w.nomad {
			p.Spec.Nomad.Address, p.Spec.Nomad.Servers = n.address, n.servers
		}
		_ = w.store.create(p) // an empty store takes everything
	}
	w.boot()
	return w.fleet
}

func poolOfFleet(i int) string { return fmt.Sprintf("p-%04d", i) }

// knows keeps what the simulated guests have to know of the members.
func (f *fleet) knows(was, is client.Object) {
	if was != nil {
		return
	}
	switch n := is.(type) {
	case *kubevirtv1.VirtualMachine:
		f.w.checks.owned[n.UID] = n.Name
	case *v1alpha1.NomadNode:
		m := &memberTruth{name: n.Name, nodeID: n.Spec.NodeID, poolUID: n.Spec.PoolUID,
			nomad: f.w.joinedBy(n.Spec.Nomad.Servers)}
		f.w.checks.members[n.Name], f.w.checks.byNodeID[m.nodeID] = m, m
	}
}

// asks counts a request to the API server.
func (f *fleet) asks(c call) {
	if f == nil {
		return
	}
	if !c.writes() {
		f.counts.reads++
		return
	}
	f.counts.writes++
	f.quiet = f.w.now
	if s := f.w.now.Truncate(time.Second); !s.Equal(f.counts.second) {
		f.counts.second, f.counts.thisSecond = s, 0
	}
	f.counts.thisSecond++
	f.counts.mostASecond = max(f.counts.mostASecond, f.counts.thisSecond)
}

// asksNomad counts a request to Nomad.
func (f *fleet) asksNomad() {
	if f != nil {
		f.counts.nomad++
	}
}

// reconciles counts a reconcile.
func (f *fleet) reconciles(what string) {
	switch {
	case f == nil:
	case what == "pool":
		f.counts.poolReconciles++
	default:
		f.counts.memberReconciles++
	}
}
