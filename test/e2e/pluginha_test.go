package e2e

import (
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

const (
	// lockTTL is the shortest that Nomad takes.
	lockTTL   = 10 * time.Second
	lockDelay = time.Second
	// takeover is for how long nobody leads at most, when who led is killed: Nomad takes a lock for lost after twice its
	// TTL, gives it to nobody for its delay, and the other agent asks for it each 1.1 TTLs (nomad/api: locks.go).
	takeover = 2*lockTTL + lockDelay + 11*lockTTL/10
)

// inHA are options of agents of which one leads.
func inHA(o *testenv.AutoscalerOptions) { o.LockTTL, o.LockDelay = lockTTL, lockDelay }

// scalings are how often the API server has taken a new number for a pool from the plugin.
func scalings(pool string) (taken int) {
	for _, write := range w.APIFaults.Writes() {
		if write.Method == http.MethodPatch && write.Status == http.StatusOK &&
			strings.HasPrefix(write.UserAgent, "nomad-harvester-autoscaler") &&
			strings.HasSuffix(write.Path, "/namespaces/"+fixtures.Namespace+"/nomadnodepools/"+pool+"/scale") {
			taken++
		}
	}
	return taken
}

// Of two agents in HA one evaluates and the other one waits, without a plugin. When the one that leads is killed while
// it scales, the other takes over, nothing is scaled twice, and the pool ends right.
func TestPluginsOfTwoAgentsInHA(t *testing.T) {
	t.Parallel()
	const pool = "in-ha"
	create(t, newPool(pool, 0))
	eventually(t, pool, "the empty pool to settle", time.Minute, allReady(0))
	policies := map[string]string{pool + ".hcl": fixedPolicy(pool, 1)}
	leader := startAgent(t, policies, viaFaults(t), inHA)
	follower := launchAgent(t, policies, viaFaults(t), inHA)
	eventually(t, pool, "the leader to scale", time.Minute, replicas(1))
	// The other one asks for the lock in the meantime.
	stays(t, pool, "one number", 12*lockTTL/10, replicas(1))
	leader.checkSound(t)
	idle(t, follower)
	if n := scalings(pool); n != 1 {
		t.Fatalf("scaled %d times, not once", n)
	}

	come := delayed(t, pool, 2*time.Second)
	change(t, pool, func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
	select {
	case <-come:
	case <-time.After(slack * 30 * time.Second):
		t.Fatal("the leader doesn't scale")
	}
	if err := leader.Crash(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	// A lock isn't lost before its TTL, so there is time to see what became of the leader's last request.
	time.Sleep(4 * time.Second)
	idle(t, follower)
	byKilled := scalings(pool)

	follower.awaitPlugin(t, takeover)
	if late := time.Since(killed) - takeover; late > slack*5*time.Second {
		t.Errorf("the other one leads %s too late", late)
	}
	eventually(t, pool, "the other one to scale", time.Minute, replicas(1))
	stays(t, pool, "one number", 3*time.Second, replicas(1))
	if n := scalings(pool); n != 2 {
		t.Errorf("scaled %d times, not twice; %d of them by who was killed", n, byKilled)
	}
	change(t, pool, func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
	eventually(t, pool, "the other one to scale on", time.Minute, replicas(1))
	if n := scalings(pool); n != 3 {
		t.Errorf("scaled %d times, not three times", n)
	}
	follower.checkSound(t)
	bothEvaluate(t, pool, leader, follower)
}

// bothEvaluate has an agent lose the lead without noticing: it stands still for longer than its lock is good, and goes
// on evaluating beside the one that leads by then (nomad/api: locks.go, where nobody ends what the lock protects). The
// two make one number of it.
func bothEvaluate(t *testing.T, pool string, killed, leader *agent) {
	t.Helper()
	restart(t, killed) // and waits for the lead
	before, zero := scalings(pool), func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) }
	send(t, leader, syscall.SIGSTOP)
	change(t, pool, zero)
	eventually(t, pool, "the agent that was started again to scale", takeover+time.Minute, replicas(1))
	send(t, leader, syscall.SIGCONT)
	for _, a := range []*agent{killed, leader} {
		a.evaluates(t, 3)
	}
	change(t, pool, zero)
	eventually(t, pool, "one of two to scale", time.Minute, replicas(1))
	stays(t, pool, "one number", 3*time.Second, replicas(1))
	if n := scalings(pool) - before; n != 2 {
		t.Errorf("scaled %d times, not twice", n)
	}
	leader.checkSound(t)
}

// idle checks that an agent waits for the lead.
func idle(t *testing.T, a *agent) {
	t.Helper()
	if len(a.lines("running in HA mode")) == 0 {
		t.Error("the agent isn't in HA")
	}
	if pids, loaded := a.PluginPids(), a.lines("creating new policy handler"); len(pids)+len(loaded) > 0 {
		t.Errorf("an agent that doesn't lead has the plugins %v, and evaluates %q", pids, loaded)
	}
}
