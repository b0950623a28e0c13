package e2e

import (
	"context"
	"net/http"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// viewLimit is how old the controller's view of Nomad may be before it counts as unknown (controllers/nomadlink:
// ViewLimit).
const viewLimit = time.Minute

// While Nomad is away nobody is chosen to leave, and who is leaving already goes no further. When it is back all go on.
func TestNobodyLeavesWhileNomadIsAway(t *testing.T) {
	create(t, newPool("away", 3, func(p *v1alpha1.NomadNodePool) { p.Spec.ScaleIn.Strategy = v1alpha1.OldestCreateIndex }))
	eventually(t, "away", "the pool to settle", time.Minute, allReady(3))
	service(t, "away", "away-service", 3)
	batch(t, "away", "away-batch", 3, viewLimit+15*time.Second)
	if err := scale(t, "away", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "away", "a member to drain in Nomad", 30*time.Second, nomadStatus("draining", 1))

	if err := w.NomadServer.Stop(); err != nil {
		t.Fatal(err)
	}
	restart := func() error { return w.NomadServer.Restart(context.WithoutCancel(t.Context())) }
	t.Cleanup(func() { // the other tests need it
		if _, err := w.Nomad.Status().Leader(); err != nil {
			_ = restart()
		}
	})
	eventually(t, "away", "the pool to say that Nomad is away", 30*time.Second,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonUnreachable))
	before := wanted(t, "away")
	if err := scale(t, "away", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "away", "the pool to say that nobody leaves", 30*time.Second,
		reports(v1alpha1.PoolScalingIn, v1alpha1.ReasonNomadUnknown))
	nothingMoves(t, "away", viewLimit+5*time.Second, before)

	if err := restart(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "away", "the pool to settle", 90*time.Second, allReady(1))
	onlyMembersLeft(t, "away")
	running(t, "away-service", 3)
	noneLost(t, "away-batch")
	if noneLost(t, "away-service") == 0 {
		t.Error("no allocation had to move")
	}
}

// A Nomad that hangs is as unknown as one that is gone: nothing that can't be undone is done.
func TestNobodyGoesWhileNomadHangs(t *testing.T) {
	create(t, newPool("hang", 2, func(p *v1alpha1.NomadNodePool) {
		// It goes by what is known already, so that a victim is chosen.
		p.Spec.ScaleIn.Strategy = v1alpha1.OldestCreateIndex
	}))
	eventually(t, "hang", "the pool to settle", time.Minute, allReady(2))
	service(t, "hang", "hang-service", 2)
	nomad := w.Process("nomad")
	if err := nomad.Pause(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = nomad.Resume() })
	if err := scale(t, "hang", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "hang", "the pool to say that Nomad can't be asked", viewLimit+15*time.Second,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonUnreachable))
	nothingMoves(t, "hang", 10*time.Second, nil)
	if got := len(vms(t, "hang")); got != 2 {
		t.Errorf("%d VMs of 2 are left", got)
	}
	if err := nomad.Resume(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "hang", "the pool to settle", 90*time.Second, allReady(1))
	onlyMembersLeft(t, "hang")
	running(t, "hang-service",
		2) // not noneLost: a server that awakes takes its clients, whose heartbeats it missed, for dead
}

// A scale-out whose writes get lost, or whose answers do, makes as many VMs as asked for, and never one more.
func TestLostAnswersMakeNoSecondVM(t *testing.T) {
	create(t, newPool("flaky", 1))
	eventually(t, "flaky", "the pool to settle", time.Minute, allReady(1))
	for _, f := range []struct {
		method, path string
		effect       faultproxy.Effect
		status       int
	}{
		{http.MethodPost, "/nomadnodes$", faultproxy.LoseAnswer, 0},
		{http.MethodPost, "/secrets$", faultproxy.LoseAnswer, 0},
		{http.MethodPost, "/virtualmachines$", faultproxy.LoseAnswer, 0},
		{http.MethodPost, "/virtualmachines$", faultproxy.Refuse, 0},
		{http.MethodPatch, "/nomadnodes/[^/]+/status$", faultproxy.LoseAnswer, 0},
		{http.MethodPatch, "/nomadnodepools/[^/]+/status$", faultproxy.LoseAnswer, 0},
		{http.MethodGet, "", faultproxy.Pass, http.StatusInternalServerError},
	} {
		pattern := regexp.MustCompile(f.path)
		var hits atomic.Int32
		disarm := w.APIFaults.Inject(faultproxy.Fault{
			Match: func(r *http.Request) bool {
				hit := r.Method == f.method && pattern.MatchString(r.URL.Path)
				if hit {
					hits.Add(1)
				}
				return hit
			},
			Effect: f.effect, Status: f.status, Times: 2,
		})
		t.Cleanup(func() {
			disarm()
			if hits.Load() == 0 {
				t.Errorf("no request was hit by the fault of %s %s", f.method, f.path)
			}
		})
	}
	made := len(madeVMs())
	if err := scale(t, "flaky", 4); err != nil {
		t.Fatal(err)
	}
	eventually(t, "flaky", "VMs to be made", 30*time.Second, func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		if len(madeVMs()) == made {
			return errNotYet
		}
		return nil
	})
	heal := w.APIFaults.Partition()
	eventually(t, "flaky", "the pool not to grow beyond its replicas", 30*time.Second, lasts(3*time.Second, atMost(t, 4)))
	heal()
	eventually(t, "flaky", "the pool to settle", time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if err := atMost(t, 4)(p, nodes); err != nil {
				t.Error(err)
			}
			return allReady(4)(p, nodes)
		})
	if got := len(madeVMs()) - made; got != 3 {
		t.Errorf("%d VMs were made, not 3", got)
	}
	onlyMembersLeft(t, "flaky")
}

// wanted are the members that aren't asked to leave.
func wanted(t *testing.T, pool string) map[types.UID]bool {
	t.Helper()
	_, nodes, err := read(t.Context(), pool)
	if err != nil {
		t.Fatal(err)
	}
	out := map[types.UID]bool{}
	for _, n := range nodes {
		if n.Spec.Drain == nil {
			out[n.UID] = true
		}
	}
	return out
}

// nothingMoves checks for some time that no VM goes, nobody is written to be drained, and no drain is requested of those
// who stay.
func nothingMoves(t *testing.T, pool string, d time.Duration, stay map[types.UID]bool) {
	t.Helper()
	count := len(vms(t, pool))
	eventually(t, pool, "nothing to move", d+time.Minute,
		lasts(d, func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				switch {
				case n.DeletionTimestamp != nil || drained(n):
					t.Fatalf("member %s goes: %+v", n.Name, n.Status)
				case stay[n.UID] && n.Spec.Drain != nil:
					t.Fatalf("member %s was ordered to leave: %+v", n.Name, n.Spec.Drain)
				}
			}
			uids := vms(t, pool)
			for _, vm := range uids {
				if vm.DeletionTimestamp != nil {
					t.Fatalf("VM %s goes", vm.Name)
				}
			}
			if len(uids) != count {
				t.Fatalf("%d VMs, not %d", len(uids), count)
			}
			return nil
		}))
}
