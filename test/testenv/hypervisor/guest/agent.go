package guest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Agent boots guests with a Nomad client, of the user's Nomad or the stand-in.
type Agent struct {
	// Bin is the path of the nomad binary.
	Bin string
	// Names are what the guest's DNS knows of Nomad servers.
	Names Names
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
	adaptation, err := loopbackAdaptation(m, config, a.Names)
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
		return nil, fmt.Errorf(
			"%w: %v make it a Nomad server of its own (the packaged nomad.hcl does, unless it is overwritten)", ErrNoClient,
			paths)
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

// powerOffTimeout is far more than the kernel needs to end the processes of a guest.
const powerOffTimeout = 20 * time.Second

// PowerOff kills the first process of the guest's namespaces: the kernel then kills all others in there and
// waits for them, and unshare waits for the first. Killing unshare instead would have the same end, some
// time after PowerOff returned.
func (g *agentGuest) PowerOff() error {
	select {
	case <-g.Done(): // its process ID may be somebody else's by now
		return nil
	default:
	}
	if first := childOf(g.Pid()); first != 0 {
		err := syscall.Kill(first, syscall.SIGKILL)
		if err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("power off %s: %w", g.Name(), err)
		}
		if err := g.Resume(); err != nil { // a paused unshare doesn't wait for anybody
			return err
		}
		select {
		case <-g.Done():
		case <-time.After(powerOffTimeout):
		}
	}
	if err := g.Kill(); err != nil {
		return err
	}
	return removeCgroups(g.machine.cgroup())
}

// childOf is the one child of unshare, 0 if it has none yet.
func childOf(pid int) int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	child, _ := strconv.Atoi(strings.TrimSpace(string(b))) // no number: no child
	return child
}

// clientIDFile is where the client keeps its ID, in its state directory.
const clientIDFile = "client-id"

func readNodeID(stateDir string) string {
	b, err := os.ReadFile(filepath.Join(stateDir, clientIDFile))
	if err != nil {
		return ""
	}
	return string(b)
}
