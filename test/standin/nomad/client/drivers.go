package client

import (
	"fmt"
	"slices"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/config"
)

// driver runs tasks.
type driver interface {
	// start starts a task.
	start(*task) (process, error)
	// recover finds a process that an earlier agent started, nil if it is gone.
	recover(*handle) process
}

// process is a task that runs.
type process interface {
	done() <-chan struct{}
	// result is nil if it ended well; it has ended.
	result() error
	// signal asks it to end; an empty name is SIGINT.
	signal(name string)
	kill()
	handle() *handle
}

// handle is what an agent keeps of a process, to find it again.
type handle struct {
	PID int
	// Started is when, in clock ticks since boot, and Boot of which boot: with a process ID alone it could be another's.
	Started, Boot string
}

// exitError is the end of a task that failed.
type exitError struct{ code int }

// Error says how it ended.
func (e *exitError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// driversOf are the drivers that the configuration leaves on. raw_exec is off by default.
func driversOf(c *config.Agent) map[string]driver {
	all := map[string]driver{"mock_driver": mock{}}
	if rawExecEnabled(c) {
		all["raw_exec"] = rawExec{}
	}
	for _, option := range []struct {
		key  string
		keep bool
	}{{"driver.allowlist", true}, {"driver.denylist", false}} {
		list := c.Client.Options[option.key]
		if list == "" {
			continue
		}
		names := strings.Split(list, ",")
		for name := range all {
			if slices.Contains(names, name) != option.keep {
				delete(all, name)
			}
		}
	}
	return all
}

// rawExecEnabled reports if the block plugin "raw_exec" or the old option switches the driver on.
func rawExecEnabled(c *config.Agent) bool {
	plugin, _ := c.Plugin["raw_exec"].(map[string]any)
	settings, _ := plugin["config"].(map[string]any)
	return settings["enabled"] == true || c.Client.Options["driver.raw_exec.enable"] == "1" ||
		c.Client.Options["driver.raw_exec.enable"] == "true"
}
