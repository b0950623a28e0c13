package guest_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// timeout is for a machine that is busy with something else.
const timeout = 60 * time.Second

// member is what a controller would render into the user data.
type member struct {
	id, name, pool, servers, introduction, tls string
}

func (m member) userData() []byte {
	return fmt.Appendf(nil, `#cloud-config
hostname: %[2]s
write_files:
- {path: /opt/nomad/data/client/client-id, permissions: "0600", content: %[1]s}
- {path: /opt/nomad/data/client/intro_token.jwt, permissions: "0600", content: %[5]q}
- path: /etc/nomad.d/nomad.hcl
  content: |
    data_dir = "/opt/nomad/data"
    bind_addr = "0.0.0.0"
    datacenter = "dc7"
    client {
      enabled = true
      node_pool = "%[3]s"
      node_class = "harvester"
      server_join { retry_join = ["%[4]s"] }
      meta { "hnp.member" = "%[2]s" }
    }
%[6]s
runcmd:
- [systemctl, enable, --now, nomad.service]
`, m.id, m.name, m.pool, m.servers, m.introduction, m.tls)
}

func TestAgentGuestJoinsRunsAndLeavesNothing(t *testing.T) {
	server, m := introduced(t, member{id: uuid.NewString(), name: "batch-1", pool: "batch"})
	machine := machineFor(t, m)
	g := boot(t, guest.Agent{Bin: nomadtest.Bin(t)}, machine)
	if g.NodeID() != m.id {
		t.Fatalf("guest says its node ID is %q, want the seeded %q", g.NodeID(), m.id)
	}
	checkNode(t, awaitNode(t, server, m.id, "ready"), m)

	runJob(t, server, "batch", rawExecSleep)
	if left := processesOf(t, machine.Disk); len(left) == 0 {
		t.Fatal("no process of the guest found while its task runs: the check below would prove nothing")
	}
	powerOff(t, g)
	if left := processesOf(t, machine.Disk); len(left) > 0 {
		t.Errorf("processes survive the guest: %v", left)
	}
	if mounts, err := os.ReadFile("/proc/mounts"); err != nil || bytes.Contains(mounts, []byte(machine.Disk)) {
		t.Errorf("mounts survive the guest (%v)", err)
	}
	awaitNode(t, server, m.id, "down")

	// The same disk boots the same node, without cloud-init and although the token was used.
	again := boot(t, guest.Agent{Bin: nomadtest.Bin(t)}, machine)
	awaitNode(t, server, m.id, "ready")
	powerOff(t, again)
}

func TestPausedAgentGuestMissesHeartbeats(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{})
	m := member{id: uuid.NewString(), name: "batch-1", pool: "batch", servers: server.RPCAddr}
	g := boot(t, guest.Agent{Bin: nomadtest.Bin(t)}, machineFor(t, m))
	awaitNode(t, server, m.id, "ready")
	if err := g.Pause(); err != nil {
		t.Fatal(err)
	}
	awaitNode(t, server, m.id, "down")
	if err := g.Resume(); err != nil {
		t.Fatal(err)
	}
	awaitNode(t, server, m.id, "ready")
}

func TestAgentGuestWithTLS(t *testing.T) {
	server := nomadtest.Start(t, nomad.ServerOptions{TLS: true})
	m := member{id: uuid.NewString(), name: "batch-1", pool: "batch", servers: server.RPCAddr}
	m.tls = `- path: /etc/nomad.d/tls.hcl
  content: |
    tls {
      http = true
      rpc = true
      verify_server_hostname = true
      ca_file = "/etc/nomad.d/ca.pem"
      cert_file = "/etc/nomad.d/client.pem"
      key_file = "/etc/nomad.d/client-key.pem"
    }
` + fileEntry(t, "/etc/nomad.d/ca.pem", server.CACert) + fileEntry(t, "/etc/nomad.d/client.pem", server.ClientCert) +
		fileEntry(t, "/etc/nomad.d/client-key.pem", server.ClientKey)
	for name, launcher := range launchers(t) {
		t.Run(name, func(t *testing.T) {
			m.id = uuid.NewString()
			boot(t, launcher, machineFor(t, m))
			awaitNode(t, server, m.id, "ready")
		})
	}
}

func TestGuestsThatRunNoClient(t *testing.T) {
	const started = "\nruncmd: [systemctl start nomad]\n"
	cases := map[string]string{
		"no user data":     "",
		"not cloud-config": "#!/bin/sh\n",
		"nothing starts nomad": "#cloud-config\n" +
			"write_files: [{path: /etc/nomad.d/nomad.hcl, content: 'data_dir = \"/x\"'}]\n",
		"packaged server stays": "#cloud-config\n" +
			"write_files: [{path: /etc/nomad.d/pool.hcl, content: 'datacenter = \"x\"'}]" + started,
		"broken configuration": "#cloud-config\n" +
			"write_files: [{path: /etc/nomad.d/nomad.hcl, content: 'data_dir = '}]" +
			started,
	}
	for name, userData := range cases {
		t.Run(name, func(t *testing.T) {
			machine := machineFor(t, member{name: "batch-1"})
			machine.UserData = []byte(userData)
			if _, err := (guest.Simulated{}).Boot(t.Context(), machine); !errors.Is(err, guest.ErrNoClient) {
				t.Errorf("Boot = %v, want ErrNoClient", err)
			}
		})
	}
}

func TestSimulatedGuestTakesTheRenderedConfiguration(t *testing.T) {
	server, m := introduced(t, member{id: uuid.NewString(), name: "batch-1", pool: "batch"})
	machine := machineFor(t, m)
	g := boot(t, guest.Simulated{}, machine)
	checkNode(t, awaitNode(t, server, m.id, "ready"), m)
	powerOff(t, g)
	awaitNode(t, server, m.id, "down")
	boot(t, guest.Simulated{}, machine)
	awaitNode(t, server, m.id, "ready")
}

func checkNode(t *testing.T, node *api.Node, m member) {
	t.Helper()
	got := []string{node.Name, node.NodePool, node.NodeClass, node.Datacenter, node.Meta["hnp.member"],
		node.Attributes["unique.hostname"]}
	want := []string{m.name, m.pool, "harvester", "dc7", m.name, m.name}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("node registered as %q, want %q", got, want)
			break
		}
	}
	if cpu, memory := node.NodeResources.Cpu.CpuShares, node.NodeResources.Memory.MemoryMB; cpu != 2000 || memory != 1024 {
		t.Errorf("node has %d MHz and %d MiB, want those of its machine", cpu, memory)
	}
}

type launcher interface {
	Boot(context.Context, guest.Machine) (guest.Guest, error)
}

func launchers(t *testing.T) map[string]launcher {
	return map[string]launcher{"agent": guest.Agent{Bin: nomadtest.Bin(t)}, "simulated": guest.Simulated{}}
}

func machineFor(t *testing.T, m member) guest.Machine {
	t.Helper()
	dir := t.TempDir()
	log := filepath.Join(dir, "guest.log")
	t.Cleanup(func() {
		if b, err := os.ReadFile(log); err == nil && t.Failed() {
			t.Logf("%s:\n%s", log, b[max(0, len(b)-8000):])
		}
	})
	return guest.Machine{Namespace: "nomad-clients", Name: m.name, Disk: filepath.Join(dir, "disk"), LogFile: log, CPUs: 2,
		MemoryMiB: 1024, UserData: m.userData()}
}

func boot(t *testing.T, l launcher, m guest.Machine) guest.Guest {
	t.Helper()
	g, err := l.Boot(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { powerOff(t, g) })
	return g
}

func powerOff(t *testing.T, g guest.Guest) {
	t.Helper()
	if err := g.PowerOff(); err != nil {
		t.Error(err)
	}
	select {
	case <-g.Done():
	default:
		t.Error("guest isn't done after PowerOff")
	}
}

func awaitNode(t *testing.T, server *nomad.Server, id, status string) *api.Node {
	t.Helper()
	var node *api.Node
	await(t, "node "+status, func(context.Context) error {
		found, _, err := server.Client.Nodes().Info(id, nil)
		if err != nil {
			return err
		}
		if node = found; node.Status != status {
			return fmt.Errorf("node is %s", node.Status)
		}
		return nil
	})
	return node
}

func await(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := process.WaitFor(ctx, 50*time.Millisecond, what, check); err != nil {
		t.Fatal(err)
	}
}

const rawExecSleep = `{"Driver": "raw_exec", "Name": "sleep", "Config": {"command": "/bin/sleep", "args": ["86399"]}}`

func runJob(t *testing.T, server *nomad.Server, pool, task string) {
	t.Helper()
	spec := fmt.Sprintf(
		`{"Job": {"ID": "job", "Type": "service", "Datacenters": ["*"], "NodePool": %q, "TaskGroups": [{"Name": "g", "Count": 1, "Tasks": [%s]}]}}`,
		pool,
		task,
	)
	var reply any
	if _, err := server.Client.Raw().Write("/v1/jobs", strings.NewReader(spec), &reply, nil); err != nil {
		t.Fatal(err)
	}
	await(t, "allocation", func(context.Context) error {
		allocations, _, err := server.Client.Jobs().Allocations("job", false, nil)
		if err != nil || len(allocations) == 0 {
			return fmt.Errorf("%d allocations, %w", len(allocations), err)
		}
		if status := allocations[0].ClientStatus; status != "running" {
			return fmt.Errorf("allocation is %s", status)
		}
		return nil
	})
}

// processesOf are the processes that have the disk in their command line or work in it.
func processesOf(t *testing.T, disk string) []string {
	t.Helper()
	directories, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, directory := range directories {
		command, _ := os.ReadFile(directory + "/cmdline") // unreadable: it has just ended
		cwd, _ := os.Readlink(directory + "/cwd")
		if bytes.Contains(command, []byte(disk)) || strings.HasPrefix(cwd, disk) {
			found = append(found, string(bytes.ReplaceAll(command, []byte{0}, []byte{' '})))
		}
	}
	return found
}

// introduced starts a server that wants members to be introduced, and gives the member what it needs; of a Nomad that
// introduces nobody, one that takes it as it is.
func introduced(t *testing.T, m member) (*nomad.Server, member) {
	t.Helper()
	introduces, err := nomad.Introduces(t.Context(), nomadtest.Bin(t))
	if err != nil {
		t.Fatal(err)
	}
	o := nomad.ServerOptions{ACL: true}
	if introduces {
		o.Introduction = "strict"
	}
	server := nomadtest.Start(t, o)
	m.servers = server.RPCAddr
	if introduces {
		m.introduction = introductionToken(t, server, m)
	}
	return server, m
}

func introductionToken(t *testing.T, server *nomad.Server, m member) string {
	t.Helper()
	reply, _, err := server.Client.ACLIdentity().
		CreateClientIntroductionToken(&api.ACLIdentityClientIntroductionTokenRequest{NodeName: m.name, NodePool: m.pool}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return reply.JWT
}

func fileEntry(t *testing.T, path, source string) string {
	t.Helper()
	b, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("- {path: %s, content: %q}\n", path, b)
}
