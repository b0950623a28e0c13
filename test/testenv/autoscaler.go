package testenv

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// autoscalerPolicy is what docs/autoscaler.md gives the autoscaler's agent: the right to measure, and that to the lock
// of agents in HA.
const autoscalerPolicy = `
node { policy = "read" }
namespace "*" { policy = "scale" }
namespace "default" {
  policy = "scale"
  variables {
    path "nomad-autoscaler/lock" {
      capabilities = ["write"]
    }
  }
}
`

// AutoscalerOptions say how to run a Nomad Autoscaler with our plugin.
type AutoscalerOptions struct {
	// Plugin is the program that is the plugin; empty: the product.
	Plugin string
	// Policies maps file names ending in .hcl to the HCL of scaling policies.
	Policies map[string]string
	// PluginConfig is added to the `config` of the target block, and wins.
	PluginConfig map[string]string
	// PluginEnv is added to the environment of agent and plugin: "KEY=value".
	PluginEnv []string
	// PrometheusAddr adds the APM prometheus with that address; empty leaves it out.
	PrometheusAddr string
	// Namespace is Nomad's whose jobs' scaling blocks are policies as well; empty: "default".
	Namespace string
	// LockTTL and LockDelay are those of the lock of agents in HA; a LockTTL of 0: no HA.
	LockTTL, LockDelay time.Duration
}

// StartAutoscaler installs and builds the product if need be, and runs an autoscaler agent with our plugin,
// which acts as its service account. The environment stops it.
func (w *Environment) StartAutoscaler(ctx context.Context, o AutoscalerOptions) (*nomad.Autoscaler, error) {
	if err := w.InstallProduct(ctx); err != nil {
		return nil, err
	}
	tools, err := binaries.Ensure(ctx, w.options.Progress, binaries.NomadAutoscaler)
	if err != nil {
		return nil, err
	}
	program := o.Plugin
	if program == "" {
		if program, err = w.ProductBinary(ctx); err != nil {
			return nil, err
		}
	}
	kubeconfig, err := w.Kube.KubeconfigFor(ctx, fixtures.ProductNamespace, AutoscalerServiceAccount)
	if err != nil {
		return nil, err
	}
	token, err := w.nomadToken("nomad-autoscaler", autoscalerPolicy)
	if err != nil {
		return nil, err
	}
	config := map[string]string{"kubeconfig": kubeconfig}
	maps.Copy(config, o.PluginConfig)
	w.mu.Lock()
	defer w.mu.Unlock()
	a, err := nomad.StartAutoscaler(ctx, nomad.AutoscalerOptions{
		Bin: tools[binaries.NomadAutoscaler], Dir: filepath.Join(w.Dir, fmt.Sprintf("autoscaler-%d", len(w.autoscalers)+1)),
		NomadAddr: w.NomadAddr, NomadToken: token,
		CACert: w.NomadServer.CACert, ClientCert: w.NomadServer.ClientCert, ClientKey: w.NomadServer.ClientKey,
		PluginBin: program, PluginConfig: config, PluginEnv: o.PluginEnv,
		Policies: o.Policies, PrometheusAddr: o.PrometheusAddr, Namespace: o.Namespace,
		LockTTL: o.LockTTL, LockDelay: o.LockDelay,
	})
	if err != nil {
		return nil, err
	}
	w.autoscalers = append(w.autoscalers, a)
	return a, nil
}
