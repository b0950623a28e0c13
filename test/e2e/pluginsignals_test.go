package e2e

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Whatever signal reaches the agent while it scales, the pool has the old number or the new one, no plugin is left
// behind by an agent that was asked to end, and an agent that is started again makes it right.
func TestPluginsAgentIsSignalledWhileItScales(t *testing.T) {
	t.Parallel()
	for name, signal := range map[string]func(*testing.T, *agent){
		"hup": func(t *testing.T, a *agent) { send(t, a, syscall.SIGHUP) },
		"term": func(t *testing.T, a *agent) {
			send(t, a, syscall.SIGTERM)
			awaitEnd(t, a)
			ctx, cancel := context.WithTimeout(t.Context(), slack*30*time.Second)
			defer cancel()
			if err := process.WaitFor(ctx, 200*time.Millisecond, "the plugin to end", func(context.Context) error {
				if left := a.PluginPids(); len(left) > 0 {
					return fmt.Errorf("plugins %v are left", left)
				}
				return nil
			}); err != nil {
				t.Error(err)
			}
			restart(t, a)
		},
		"kill": func(t *testing.T, a *agent) {
			if err := a.Crash(); err != nil {
				t.Fatal(err)
			}
			restart(t, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			pool := "signal-" + name
			create(t, newPool(pool, 0))
			eventually(t, pool, "the empty pool to settle", time.Minute, allReady(0))
			come := delayed(t, pool, 2*time.Second)
			a := startAgent(t, map[string]string{pool + ".hcl": fixedPolicy(pool, 1)}, viaFaults(t))
			select {
			case <-come:
			case <-time.After(slack * 30 * time.Second):
				t.Fatal("the agent doesn't scale")
			}
			signal(t, a)
			eventually(t, pool, "the pool to be scaled", time.Minute, replicas(1))
			// The next evaluation works.
			change(t, pool, func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = new(int32) })
			eventually(t, pool, "the policy to scale again", time.Minute, replicas(1))
			if name == "hup" { // which is no reason to end for anybody
				a.checkSound(t)
			}
		})
	}
}

func send(t *testing.T, a *agent, signal syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(a.Process().Pid(), signal); err != nil {
		t.Fatal(err)
	}
}

func awaitEnd(t *testing.T, a *agent) {
	t.Helper()
	select {
	case <-a.Process().Done():
	case <-time.After(slack * 30 * time.Second):
		t.Fatal("the agent doesn't end")
	}
}

func restart(t *testing.T, a *agent) {
	t.Helper()
	if err := a.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
}
