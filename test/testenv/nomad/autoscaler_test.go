package nomad_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const policy = `scaling "workers" {
  enabled = true
  min     = 0
  max     = 50
  policy {
    cooldown            = "1s"
    evaluation_interval = "500ms"
    check "wanted" {
      source       = "prometheus"
      query        = "wanted"
      query_window = "10s"
      strategy "pass-through" {}
    }
    target "harvester" {
      node_pool_name = "workers"
    }
  }
}
`

func TestAutoscalerScalesByFakePrometheusAndLeavesNoOrphan(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{ACL: true, TLS: true})
	prometheus, err := nomad.StartFakePrometheus(3)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := prometheus.Stop(); err != nil {
			t.Error(err)
		}
	})
	count := filepath.Join(t.TempDir(), "count")
	if err := os.WriteFile(count, []byte("1"), 0o600); err != nil {
		t.Fatal(err)
	}
	autoscaler := startAutoscaler(t, nomad.AutoscalerOptions{
		NomadAddr: server.Addr, NomadToken: server.Token,
		CACert: server.CACert, ClientCert: server.ClientCert, ClientKey: server.ClientKey,
		PluginBin:      buildPlugin(t),
		PluginConfig:   map[string]string{"file": count},
		Policies:       map[string]string{"workers.hcl": policy},
		PrometheusAddr: prometheus.Addr,
	})
	awaitCount(t, autoscaler, count, "3")
	prometheus.Set(7)
	awaitCount(t, autoscaler, count, "7")

	if err := autoscaler.Crash(); err != nil {
		t.Fatal(err)
	}
	if pids := autoscaler.PluginPids(); len(pids) != 1 {
		t.Errorf("after a crash of the agent plugins %v live, want the orphan", pids)
	}
	if err := autoscaler.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	prometheus.Set(2)
	awaitCount(t, autoscaler, count, "2")
	if pids := autoscaler.PluginPids(); len(pids) != 2 {
		t.Errorf("after the restart plugins %v live, want the orphan and a new one", pids)
	}
	if err := autoscaler.Stop(); err != nil {
		t.Fatal(err)
	}
	awaitNothing(t, autoscaler)
}

func startAutoscaler(t *testing.T, o nomad.AutoscalerOptions) *nomad.Autoscaler {
	t.Helper()
	paths, err := binaries.Ensure(t.Context(), os.Stderr, binaries.NomadAutoscaler)
	if err != nil {
		t.Fatal(err)
	}
	o.Bin, o.Dir = paths[binaries.NomadAutoscaler], t.TempDir()
	autoscaler, err := nomad.StartAutoscaler(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := autoscaler.Stop(); err != nil {
			t.Error(err)
		}
	})
	return autoscaler
}

func buildPlugin(t *testing.T) string {
	t.Helper()
	plugin := filepath.Join(t.TempDir(), "plugin")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", plugin,
		"./testdata/plugin").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return plugin
}

func awaitCount(t *testing.T, a *nomad.Autoscaler, file, want string) {
	t.Helper()
	err := waitFor(t, "count "+want, func(context.Context) error {
		got, err := os.ReadFile(file)
		if err == nil && string(got) != want {
			err = fmt.Errorf("count is %s", got)
		}
		return err
	})
	if err != nil {
		t.Fatalf("%v\n%s", err, a.Process().Tail(40))
	}
}

// awaitNothing leaves the kernel a moment to end what was killed.
func awaitNothing(t *testing.T, a *nomad.Autoscaler) {
	t.Helper()
	err := waitFor(t, "plugins to end", func(context.Context) error {
		if pids := a.PluginPids(); len(pids) > 0 {
			return fmt.Errorf("plugins %v live", pids)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func waitFor(t *testing.T, what string, check func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return process.WaitFor(ctx, 50*time.Millisecond, what, check)
}
