package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http/httptest"
	"os"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hostile"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	// tenant is the namespace of the pools with hostile servers. Each uses a connection of its own, so they are as many as
	// a namespace may have.
	tenant = "tenant"
	// memoryLimit is that of config/manager/deployment.yaml.
	memoryLimit = 256 << 20
	// calmMembers is how many members of the healthy pool join and drain.
	calmMembers = 4
)

// A broken or hostile Nomad server harms only its own pool: beside ten kinds of it a healthy pool joins and drains as
// fast as without, the controller stays within its memory and doesn't end, and all pools report what is wrong.
func TestHostileServersHarmOnlyTheirOwnPools(t *testing.T) {
	create(t, newPool("calm", 0))
	eventually(t, "calm", "the pool to settle", time.Minute, allReady(0))
	joinsAlone, drainsAlone := joinAndDrain(t)
	started := metric(t, "process_start_time_seconds")

	forgetPeakMemory(t)
	attack(t)
	// Whatever else runs on this machine may slow down one round; the servers attack in each.
	best := struct{ joins, drains time.Duration }{time.Hour, time.Hour}
	for round := range 3 {
		joins, drains := joinAndDrain(t)
		best.joins, best.drains = min(best.joins, joins), min(best.drains, drains)
		t.Logf("round %d: joined in %s, alone in %s; drained in %s, alone in %s; %d MiB at most", round+1, joins, joinsAlone,
			drains, drainsAlone, peakMemory(t)>>20)
	}
	if best.joins > 2*joinsAlone+10*time.Second || best.drains > 2*drainsAlone+10*time.Second {
		t.Errorf("it joined in %s and drained in %s at best", best.joins, best.drains)
	}
	eachReports(t)
	if used := peakMemory(t); used > memoryLimit {
		t.Errorf("the controller took %d MiB", used>>20)
	}
	if metric(t, "process_start_time_seconds") != started {
		t.Error("the controller ended")
	}
}

// joinAndDrain is how long the healthy pool takes to come and to go.
func joinAndDrain(t *testing.T) (joins, drains time.Duration) {
	t.Helper()
	took := func(what string, replicas int32) time.Duration {
		began := time.Now()
		if err := scale(t, "calm", replicas); err != nil {
			t.Fatal(err)
		}
		eventually(t, "calm", what, 90*time.Second, allReady(int(replicas)))
		return time.Since(began).Round(time.Millisecond)
	}
	return took("the members to join", calmMembers), took("the members to go", 0)
}

// attack makes a pool for each kind of hostile server, which wants its introduction tokens.
func attack(t *testing.T) {
	t.Helper()
	createObject(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: tenant}})
	for kind, handler := range hostile.Servers() {
		server := httptest.NewServer(handler)
		// After the pools are gone. The controller asks on for a while, and Close would wait for what hangs.
		t.Cleanup(func() { _ = server.Config.Close() })
		p := newPool(kind, 2, func(p *v1alpha1.NomadNodePool) {
			p.Namespace = tenant
			p.Spec.Nomad.Address = server.URL
			p.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionAlways
			p.Spec.ScaleIn.Drain.Deadline = metav1.Duration{Duration: 10 * time.Second} // which is waited for in the end
		})
		if err := w.Client.Create(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { endAttack(t) })
}

// endAttack deletes the pools while their servers still do harm: also that comes to an end.
func endAttack(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := w.Client.DeleteAllOf(ctx, &v1alpha1.NomadNodePool{}, client.InNamespace(tenant)); err != nil {
		t.Error(err)
	}
	err := process.WaitFor(ctx, time.Second, "the pools to be gone", func(ctx context.Context) error {
		var pools v1alpha1.NomadNodePoolList
		var members v1alpha1.NomadNodeList
		err := errors.Join(w.Client.List(ctx, &pools, client.InNamespace(tenant)),
			w.Client.List(ctx, &members, client.InNamespace(tenant)))
		if n := len(pools.Items) + len(members.Items); err == nil && n > 0 {
			return fmt.Errorf("%d pools and %d members are left, such as %+v", len(pools.Items), len(members.Items),
				members.Items[:min(1, len(members.Items))])
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// eachReports waits until each pool tells what is wrong with its Nomad, in a text of a bearable length.
func eachReports(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*time.Minute)
	defer cancel()
	seen := map[string]string{}
	err := process.WaitFor(ctx, poll, "all pools to report", func(ctx context.Context) error {
		var pools v1alpha1.NomadNodePoolList
		if err := w.Client.List(ctx, &pools, client.InNamespace(tenant)); err != nil {
			return err
		}
		for _, p := range pools.Items {
			c := meta.FindStatusCondition(p.Status.Conditions, v1alpha1.PoolNomadReachable)
			if c == nil || p.Status.ObservedGeneration != p.Generation || len(c.Message) > 2000 {
				return fmt.Errorf("pool %s has observed generation %d, %+v", p.Name, p.Status.ObservedGeneration, c)
			}
			if c.Status == metav1.ConditionFalse { // some change all the time
				seen[p.Name] = c.Reason + ": " + c.Message
			}
		}
		if kinds := len(hostile.Servers()); len(seen) < kinds || len(pools.Items) < kinds {
			return fmt.Errorf("%d of %d pools report, of %d kinds: %v", len(seen), len(pools.Items), kinds, seen)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	for kind, what := range seen {
		t.Logf("%s: %s", kind, what)
	}
	if got := seen["fakes"]; len(got) < 12 || got[:12] != v1alpha1.ReasonTooManyNodes {
		t.Errorf("100,000 nodes: %s", got)
	}
}

// forgetPeakMemory has the kernel forget how much memory the controller has taken until now.
func forgetPeakMemory(t *testing.T) {
	t.Helper()
	if err := os.WriteFile(fmt.Sprintf("/proc/%d/clear_refs", controller.Process().Pid()), []byte("5"), 0); err != nil {
		t.Fatal(err)
	}
}

// peakMemory is how much memory the controller has taken at most since then.
func peakMemory(t *testing.T) int64 {
	t.Helper()
	peak, err := process.PeakMemory(controller.Process().Pid())
	if err != nil {
		t.Fatal(err)
	}
	return peak
}
