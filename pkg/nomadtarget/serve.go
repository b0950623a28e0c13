package nomadtarget

import (
	"os"
	"path/filepath"
	"slices"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/nomad-autoscaler/plugins"
)

// Serve serves the plugin to the Nomad Autoscaler that launched this process, and blocks until it says goodbye. Without
// the handshake cookie in the environment (see IsPluginLaunch) it prints an explanation and exits the process with
// status 1.
func Serve() {
	plugins.Serve(func(log hclog.Logger) any {
		bridgeLogs(log)
		return New(log, executableName(os.Args))
	})
}

// IsPluginLaunch reports if environ, in the form of os.Environ, holds the handshake cookie of the Nomad Autoscaler:
// then this process was launched as a plugin, whatever its arguments are.
func IsPluginLaunch(environ []string) bool {
	return slices.Contains(environ, plugins.Handshake.MagicCookieKey+"="+plugins.Handshake.MagicCookieValue)
}

// executableName is the name that the agent knows the plugin by. The agent loads a plugin only if its name equals the
// "driver" of the target block, and launches <plugin_dir>/<driver>: so the name as launched is always right, whatever
// the binary was copied or linked to (Nomad Autoscaler: plugins/manager/manager.go, pluginLaunchCheck).
func executableName(args []string) string {
	if len(args) == 0 {
		return "harvester"
	}
	return filepath.Base(args[0])
}
