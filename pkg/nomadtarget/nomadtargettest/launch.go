// Package nomadtargettest starts the plugin as the Nomad Autoscaler's agent does, for tests and measurements.
package nomadtargettest

import (
	"fmt"
	"io"
	"os/exec"

	"github.com/hashicorp/go-hclog"
	plugin "github.com/hashicorp/go-plugin"
	"github.com/hashicorp/nomad-autoscaler/plugins"
	"github.com/hashicorp/nomad-autoscaler/plugins/base"
	"github.com/hashicorp/nomad-autoscaler/plugins/target"
	"github.com/hashicorp/nomad-autoscaler/sdk"
)

// Launch starts a target plugin as a process of its own, and returns what the agent calls it by, over gRPC. What the
// plugin logs, debug lines too, is written to logs. The caller ends the process with stop, which is nil after an error.
func Launch(cmd *exec.Cmd, logs io.Writer) (t target.Target, stop func(), err error) {
	host := plugin.NewClient(&plugin.ClientConfig{
		HandshakeConfig: plugins.Handshake,
		Plugins: map[string]plugin.Plugin{sdk.PluginTypeBase: &base.PluginBase{},
			sdk.PluginTypeTarget: &target.PluginTarget{}},
		Cmd:              cmd,
		AllowedProtocols: []plugin.Protocol{plugin.ProtocolGRPC},
		Logger:           hclog.New(&hclog.LoggerOptions{Level: hclog.Debug, Output: logs}),
	})
	rpc, err := host.Client()
	if err != nil {
		host.Kill()
		return nil, nil, fmt.Errorf("starting the plugin: %w", err)
	}
	if at := host.ReattachConfig(); at == nil || at.Addr.Network() != "unix" {
		host.Kill()
		return nil, nil, fmt.Errorf("others can reach the plugin, because it isn't at a socket of this host: %+v", at)
	}
	raw, err := rpc.Dispense(sdk.PluginTypeTarget)
	if err != nil {
		host.Kill()
		return nil, nil, fmt.Errorf("asking the plugin for its target: %w", err)
	}
	return raw.(target.Target), host.Kill, nil
}
