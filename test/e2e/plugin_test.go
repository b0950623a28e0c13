package e2e

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// fixedPolicy asks for a number, for no reason but that it says so. More lines go into its target block.
func fixedPolicy(pool string, value int, more ...string) string {
	return fmt.Sprintf(`
scaling %[1]q {
  enabled = true
  min     = 0
  max     = 10
  policy {
    cooldown            = "1s"
    evaluation_interval = "1s"
    check "fixed" {
      strategy "fixed-value" {
        value = "%[2]d"
      }
    }
    target "harvester" {
      node_pool_name = %[1]q
      namespace      = %[3]q
      %[4]s
    }
  }
}
`, pool, value, fixtures.Namespace, strings.Join(more, "\n      "))
}

// agent is a running autoscaler and its log, the plugin's lines included.
type agent struct {
	*nomad.Autoscaler
	pid     int
	plugins []int
}

func startAgent(t *testing.T, policies map[string]string, change ...func(*testenv.AutoscalerOptions)) *agent {
	t.Helper()
	a := launchAgent(t, policies, change...)
	a.awaitPlugin(t, 20*time.Second)
	return a
}

// launchAgent starts an agent that may have no plugin for now: it is healthy before it has started its plugins, and in
// HA it has none until it leads.
func launchAgent(t *testing.T, policies map[string]string, change ...func(*testenv.AutoscalerOptions)) *agent {
	t.Helper()
	o := testenv.AutoscalerOptions{Policies: policies}
	for _, c := range change {
		c(&o)
	}
	a, err := w.StartAutoscaler(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("autoscaler:\n%s", a.Process().Tail(60))
		}
		if err := a.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &agent{Autoscaler: a, pid: a.Process().Pid()}
}

func (a *agent) awaitPlugin(t *testing.T, within time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*within)
	defer cancel()
	if err := process.WaitFor(ctx, poll, "the plugin to be started", func(context.Context) error {
		if a.plugins = a.PluginPids(); len(a.plugins) == 0 {
			return errNotYet
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// lines are the lines of the log that hold all the words.
func (a *agent) lines(words ...string) []string {
	text, err := os.ReadFile(a.LogFile)
	if err != nil {
		return []string{err.Error()}
	}
	var found []string
next:
	for line := range strings.Lines(string(text)) {
		for _, word := range words {
			if !strings.Contains(line, word) {
				continue next
			}
		}
		found = append(found, line)
	}
	return found
}

// logs waits for a line with all the words.
func (a *agent) logs(t *testing.T, words ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*30*time.Second)
	defer cancel()
	var line string
	err := process.WaitFor(ctx, 200*time.Millisecond, fmt.Sprintf("a line with %q in the autoscaler's log", words),
		func(context.Context) error {
			found := a.lines(words...)
			if len(found) == 0 {
				return fmt.Errorf("there is none")
			}
			line = found[0]
			return nil
		})
	if err != nil {
		t.Fatal(err)
	}
	return line
}

// checkSound checks that agent and plugin are the processes that were started, healthy, and that nothing restarted the
// policies of everybody.
func (a *agent) checkSound(t *testing.T) {
	t.Helper()
	select {
	case <-a.Process().Done():
		t.Fatal("the agent has ended")
	default:
	}
	if now := a.PluginPids(); a.Process().Pid() != a.pid || len(now) != 1 || len(a.plugins) != 1 ||
		now[0] != a.plugins[0] {
		t.Errorf("agent %d and plugin %v are not those that were started: %d, %v", a.Process().Pid(), now, a.pid, a.plugins)
	}
	// Nomad Autoscaler: policy/manager.go, Run and isUnrecoverableError.
	if again := a.lines("re-starting policy manager"); len(again) > 0 {
		t.Errorf("the agent restarted all policies: %s", again)
	}
}

// The plugin in the real agent: one agent, seven policies, of which no one's trouble is another's.
func TestPluginInTheRealAgent(t *testing.T) {
	t.Parallel()
	create(t, newPool("paused-one", 0, func(p *v1alpha1.NomadNodePool) { p.Spec.Paused = true }))
	create(t, newPool("dry", 0))
	create(t, newPool("capped", 0, func(p *v1alpha1.NomadNodePool) { p.Spec.MaxReplicas = ptr.To[int32](2) }))
	create(t, newPool("floored", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.MinReplicas = ptr.To[int32](1) }))
	create(t, newPool("grows", 0))
	create(t, newPool("sinks", 1))
	for _, pool := range []string{"dry", "capped", "grows"} {
		eventually(t, pool, "the empty pool to settle", 30*time.Second, allReady(0))
	}
	eventually(t, "sinks", "the pool to settle", time.Minute, allReady(1))
	a := startAgent(t, map[string]string{
		"sinks.hcl":      fixedPolicy("sinks", 0),
		"not-yet.hcl":    fixedPolicy("not-yet", 1),
		"paused-one.hcl": fixedPolicy("paused-one", 3),
		"dry.hcl":        fixedPolicy("dry", 4, `dry-run = "true"`),
		"capped.hcl":     fixedPolicy("capped", 5),
		"floored.hcl":    fixedPolicy("floored", 0),
		"grows.hcl":      fixedPolicy("grows", 1, `cpu_request = "4"`, `memory_request = "8Gi"`),
	})
	t.Run("scale out", func(t *testing.T) { scalesOut(t, a) })
	t.Run("scale in to none", func(t *testing.T) {
		eventually(t, "sinks", "the pool to be empty", time.Minute, allReady(0))
		p, _, err := read(t.Context(), "sinks")
		if err != nil {
			t.Fatal(err)
		}
		if last := p.Status.LastScale; !strings.HasPrefix(last.Reason,
			"set to 0 by kubectl scale or an autoscaler, whose log tells") {
			t.Errorf("lastScale is %+v", last)
		}
		a.logs(t, "[INFO]", "scaled", fixtures.Namespace+"/sinks", "to=0", "policy=")
	})
	t.Run("paused", func(t *testing.T) {
		a.logs(t, "[INFO]", "pool is not ready to be scaled", fixtures.Namespace+"/paused-one", "reason=Paused")
		unmoved(t, "paused-one", 0)
	})
	t.Run("dry run", func(t *testing.T) {
		a.logs(t, "dry run: the pool is left as it is", "dry", "would_be=4")
		unmoved(t, "dry", 0)
	})
	t.Run("beyond the limits", func(t *testing.T) {
		a.logs(t, "[ERROR]", "unable to scale target",
			"5 replicas is more than its spec.maxReplicas 2; lower max of the policy or raise maxReplicas")
		a.logs(t, "[ERROR]", "unable to scale target",
			"0 replicas is less than its spec.minReplicas 1; raise min of the policy or lower minReplicas")
		unmoved(t, "capped", 0)
		unmoved(t, "floored", 1)
	})
	t.Run("pool that doesn't exist yet", func(t *testing.T) {
		a.logs(t, "[WARN]", "it can't be read", "pool="+fixtures.Namespace+"/not-yet", "reason=NotFound",
			"create the NomadNodePool")
		a.checkSound(t)
		create(t, newPool("not-yet", 0))
		eventually(t, "not-yet", "the new pool to be scaled", 90*time.Second, allReady(1))
	})
	a.checkSound(t)
}

// scalesOut checks the scaling that works: the number, who asked for it, and the remarks on keys of older plugins.
func scalesOut(t *testing.T, a *agent) {
	eventually(t, "grows", "the pool to grow", 2*time.Minute, allReady(1))
	p, _, err := read(t.Context(), "grows")
	if err != nil {
		t.Fatal(err)
	}
	last := p.Status.LastScale
	found := regexp.MustCompile(`^asked for by the Nomad Autoscaler's policy ([0-9a-f-]{36}),`).
		FindStringSubmatch(last.Reason)
	if last.From != 0 || last.To != 1 || found == nil {
		t.Fatalf("lastScale is %+v", last)
	}
	if len(a.lines("policy_id="+found[1])) == 0 {
		t.Errorf("the agent's log doesn't know the policy %s", found[1])
	}
	for key, field := range map[string]string{"cpu_request": "spec.template.cpu",
		"memory_request": "spec.template.memory"} {
		if output := a.lines("[WARN]", key+" has no effect in a policy", field); len(output) != 1 {
			t.Errorf("%s is remarked on %d times, not once: %s", key, len(output), output)
		}
	}
}

// unmoved checks that a pool keeps its replicas for some evaluations more.
func unmoved(t *testing.T, pool string, replicas int32) {
	t.Helper()
	stays(t, pool, "replicas stay", 3*time.Second, func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error {
		if p.DesiredReplicas() != replicas {
			return fmt.Errorf("replicas are %d, not %d", p.DesiredReplicas(), replicas)
		}
		return nil
	})
}

// An API server that goes away for a while, crashing first and then hanging, costs the agent nothing: no error
// reaches it, for one that tells of a refused connection or an EOF would restart the policies of everybody.
func TestPluginOutlivesTheAPIServer(t *testing.T) {
	create(t, newPool("outage", 0))
	eventually(t, "outage", "the pool to settle", 30*time.Second, allReady(0))
	a := startAgent(t, map[string]string{"outage.hcl": fixedPolicy("outage", 1)})
	eventually(t, "outage", "the pool to be scaled", 90*time.Second, allReady(1))
	policies := a.lines("creating new policy handler")

	apiserver := w.Process("kube-apiserver")
	if err := apiserver.Kill(); err != nil {
		t.Fatal(err)
	}
	a.logs(t, "[WARN]", "it can't be read", "outage", "reason=Unreachable")
	if err := apiserver.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := apiserver.Pause(); err != nil {
		t.Fatal(err)
	}
	a.logs(t, "[WARN]", "it can't be read", "outage", "reason=Timeout")
	if err := apiserver.Resume(); err != nil {
		t.Fatal(err)
	}

	a.checkSound(t)
	for _, poison := range []string{"connection refused", "EOF"} {
		if output := a.lines(poison); len(output) > 0 {
			t.Errorf("%q got out of the plugin: %s", poison, output)
		}
	}
	if again := a.lines("creating new policy handler"); len(again) != len(policies) {
		t.Errorf("policies were loaded %d times, not %d", len(again), len(policies))
	}
	// The same policy still works.
	change(t, "outage", func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](0) })
	eventually(t, "outage", "the policy to scale again", time.Minute,
		func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error {
			if p.DesiredReplicas() != 1 {
				return fmt.Errorf("replicas are %d", p.DesiredReplicas())
			}
			return nil
		})
}
