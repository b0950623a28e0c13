package guest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/world/hypervisor/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/test/world/process"
)

// Agent boots guests with a real Nomad client.
type Agent struct {
	// Bin is the path of the nomad binary.
	Bin string
}

// namespaces make a process group a guest: what is in it ends with its first process (tasks have left the
// session and the process group by then), mounts of task directories vanish with it, and it has a hostname.
var namespaces = []string{"--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--uts"}

// setHostname is run in the new namespaces before the client.
const setHostname = `echo "$0" >/proc/sys/kernel/hostname && exec "$@"`

// Boot runs cloud-init if this is the first boot from the disk, and starts the client if the user data asks
// for it. The error wraps ErrNoClient for a guest that runs without.
func (a Agent) Boot(ctx context.Context, m Machine) (Guest, error) {
	starts, err := install(m)
	if err != nil {
		return nil, err
	}
	if !starts {
		return nil, fmt.Errorf("%w: nothing in its user data starts nomad.service", ErrNoClient)
	}
	paths := configPaths(m.root())
	config, err := readClientConfig(m.root(), paths)
	if err != nil {
		return nil, err
	}
	args := []string{"-c", setHostname}
	name, err := hostname(m.root())
	if err != nil {
		return nil, err
	}
	args = append(args, name, a.Bin, "agent")
	for _, path := range paths {
		args = append(args, "-config", cloudinit.Inside(m.root(), path))
	}
	adaptation, err := loopbackAdaptation(m, config)
	if err != nil {
		return nil, err
	}
	file := filepath.Join(m.Disk, "loopback.json")
	if err := writeJSON(file, adaptation); err != nil {
		return nil, err
	}
	p, err := process.Start(ctx, process.Spec{
		Name:    "guest " + m.Namespace + "/" + m.Name,
		Path:    "/bin/sh",
		Args:    append(args, "-config", file),
		Env:     append(guestEnv(os.Environ()), environment(m.root())...),
		Dir:     m.root(),
		LogFile: m.LogFile,
		Unshare: unshareFlags(),
	})
	if err != nil {
		return nil, err
	}
	return &agentGuest{Process: p, machine: m, stateDir: cloudinit.Inside(m.root(), config.stateDir())}, nil
}

// readClientConfig refuses what wouldn't become a client of anybody's cluster.
func readClientConfig(root string, paths []string) (*agentConfig, error) {
	config, err := readAgentConfig(root, paths)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrNoClient, err)
	case config.Server.Enabled:
		return nil, fmt.Errorf("%w: %v make it a Nomad server of its own (the packaged nomad.hcl does, unless it is overwritten)", ErrNoClient, paths)
	case config.DataDir == "":
		return nil, fmt.Errorf("%w: %v name no data_dir", ErrNoClient, paths)
	}
	return config, nil
}

// unshareFlags adds a user namespace for users who may not make the others alone.
func unshareFlags() []string {
	if os.Geteuid() == 0 {
		return namespaces
	}
	return append(slices.Clone(namespaces), "--user", "--map-root-user")
}

// guestEnv removes Nomad's variables: a guest doesn't see the environment of its host.
func guestEnv(env []string) []string {
	return slices.DeleteFunc(slices.Clone(env), func(kv string) bool {
		return strings.HasPrefix(kv, "NOMAD_") || strings.HasPrefix(kv, "CONSUL_") || strings.HasPrefix(kv, "VAULT_")
	})
}

// agentGuest is a guest whose processes all live in the namespaces of one.
type agentGuest struct {
	*process.Process
	machine  Machine
	stateDir string
}

// NodeID reads the file that the client keeps its ID in: seeded by cloud-init, else made by the client.
func (g *agentGuest) NodeID() string { return readNodeID(g.stateDir) }

// PowerOff kills the first process of the guest's namespaces, and with it everything in the guest.
func (g *agentGuest) PowerOff() error {
	if err := g.Kill(); err != nil {
		return err
	}
	return removeCgroups(g.machine.cgroup())
}

func readNodeID(stateDir string) string {
	b, err := os.ReadFile(filepath.Join(stateDir, "client-id"))
	if err != nil {
		return ""
	}
	return string(b)
}
