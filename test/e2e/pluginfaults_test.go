package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
)

// viaFaults leads the plugin to the API server through the proxy that faults are injected into.
func viaFaults(t *testing.T) func(*testenv.AutoscalerOptions) {
	t.Helper()
	kubeconfig, err := w.Kube.KubeconfigVia(t.Context(), w.APIFaults.URL, fixtures.ProductNamespace,
		testenv.AutoscalerServiceAccount)
	if err != nil {
		t.Fatal(err)
	}
	return func(o *testenv.AutoscalerOptions) { o.PluginConfig = map[string]string{"kubeconfig": kubeconfig} }
}

// asksFor matches the plugin's requests for one pool; method is one of them, or empty for all.
func asksFor(pool, method string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return strings.HasPrefix(r.UserAgent(), "nomad-harvester-autoscaler") && (method == "" || r.Method == method) &&
			strings.Contains(r.URL.Path+"/", "/namespaces/"+fixtures.Namespace+"/nomadnodepools/"+pool+"/")
	}
}

// replicas waits for the number that is asked of a pool.
func replicas(want int32) func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
	return func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error {
		if p.DesiredReplicas() != want {
			return fmt.Errorf("replicas are %d, not %d", p.DesiredReplicas(), want)
		}
		return nil
	}
}

// Whatever the API server answers for one pool, from the agent's start on, its policy waits and the others work. When
// the fault is over it works as well, with the same processes and without being loaded again.
func TestPluginsFaultsOfOnePoolAreNoOthers(t *testing.T) {
	t.Parallel()
	const notReady, notScaled = "it can't be read", "unable to scale target"
	faults := map[string]struct {
		fault  faultproxy.Fault
		method string // that it hits; empty: reads and writes
		logs   []string
	}{
		"f-away":     {faultproxy.Fault{Effect: faultproxy.Refuse}, "", []string{"[WARN]", notReady, "reason=Unreachable"}},
		"f-slow":     {faultproxy.Fault{Delay: time.Minute}, "", []string{"[WARN]", notReady, "reason=Timeout"}},
		"f-401":      {faultproxy.Fault{Status: http.StatusUnauthorized}, "", []string{"[WARN]", notReady, "reason=Unauthorized"}},
		"f-403":      {faultproxy.Fault{Status: http.StatusForbidden}, "", []string{"[WARN]", notReady, "reason=Forbidden"}},
		"f-429":      {faultproxy.Fault{Status: http.StatusTooManyRequests}, "", []string{"[WARN]", notReady, "reason=TooManyRequests"}},
		"f-500":      {faultproxy.Fault{Status: http.StatusInternalServerError}, "", []string{"[WARN]", notReady, "reason=ServerError"}},
		"f-put-403":  {faultproxy.Fault{Status: http.StatusForbidden}, http.MethodPatch, []string{"[ERROR]", notScaled}},
		"f-put-409":  {faultproxy.Fault{Status: http.StatusConflict}, http.MethodPatch, []string{"[ERROR]", notScaled}},
		"f-put-429":  {faultproxy.Fault{Status: http.StatusTooManyRequests}, http.MethodPatch, []string{"[ERROR]", notScaled}},
		"f-put-slow": {faultproxy.Fault{Delay: time.Minute}, http.MethodPatch, []string{"[ERROR]", notScaled}},
		"f-put-away": {faultproxy.Fault{Effect: faultproxy.Refuse}, http.MethodPatch, []string{"[ERROR]", notScaled}},
		"f-put-lost": {faultproxy.Fault{Effect: faultproxy.LoseAnswer}, http.MethodPatch, []string{"[ERROR]", notScaled}},
	}
	policies := map[string]string{"f-none.hcl": fixedPolicy("f-none", 1)}
	create(t, newPool("f-none", 0))
	var over []func()
	for pool, f := range faults {
		create(t, newPool(pool, 0))
		policies[pool+".hcl"] = fixedPolicy(pool, 1)
		f.fault.Match = asksFor(pool, f.method)
		over = append(over, w.APIFaults.Inject(f.fault))
	}
	disarm := func() {
		for _, end := range over {
			end()
		}
	}
	t.Cleanup(disarm)
	a := startAgent(t, policies, viaFaults(t))
	for pool, f := range faults {
		a.logs(t, append(f.logs, fixtures.Namespace+"/"+pool)...)
	}
	eventually(t, "f-none", "the other policy to work", time.Minute, replicas(1))
	loaded := len(a.lines("creating new policy handler"))
	for pool := range faults {
		if pool == "f-put-lost" { // which did what was asked for
			eventually(t, pool, "the scaling whose answer was lost", time.Minute, replicas(1))
			continue
		}
		if p, _, err := read(t.Context(), pool); err != nil || p.DesiredReplicas() != 0 {
			t.Errorf("%s has %d replicas (%v)", pool, p.DesiredReplicas(), err)
		}
	}
	change(t, "f-none", func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
	eventually(t, "f-none", "the other policy to work on", time.Minute, replicas(1))

	disarm()
	for pool := range faults {
		eventually(t, pool, "its policy to work", time.Minute, replicas(1))
	}
	a.checkSound(t)
	if again := len(a.lines("creating new policy handler")); again != loaded || loaded != len(policies) {
		t.Errorf("policies were loaded %d times, then %d times, and there are %d", loaded, again, len(policies))
	}
	for _, poison := range []string{"connection refused", "EOF"} {
		if output := a.lines(poison); len(output) > 0 {
			t.Errorf("%q got out of the plugin: %s", poison, output)
		}
	}
}

// Two agents with one policy, as for a moment when the one that leads is cut off, make one number of it; when one is
// killed the other goes on.
func TestPluginsOfTwoAgents(t *testing.T) {
	t.Parallel()
	create(t, newPool("two-agents", 0))
	policies := map[string]string{"two-agents.hcl": fixedPolicy("two-agents", 1)}
	one, other := startAgent(t, policies), startAgent(t, policies)
	eventually(t, "two-agents", "the pool to be scaled", time.Minute, allReady(1))
	stays(t, "two-agents", "one number", 3*time.Second, replicas(1))
	one.checkSound(t)
	other.checkSound(t)
	if err := one.Crash(); err != nil {
		t.Fatal(err)
	}
	change(t, "two-agents", func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
	eventually(t, "two-agents", "the other to scale", time.Minute, replicas(1))
	other.checkSound(t)
}

// delayed holds the plugin's next write to a pool back, and returns what says that it has come.
func delayed(t *testing.T, pool string, by time.Duration) (come <-chan struct{}) {
	t.Helper()
	ctx, arrived := context.WithCancel(context.Background())
	match := asksFor(pool, http.MethodPatch)
	t.Cleanup(w.APIFaults.Inject(faultproxy.Fault{Delay: by, Times: 1, Match: func(r *http.Request) bool {
		hit := match(r)
		if hit {
			arrived()
		}
		return hit
	}}))
	t.Cleanup(arrived)
	return ctx.Done()
}
