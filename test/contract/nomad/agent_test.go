package nomad_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// agent is the program itself as a client agent.
type agent struct {
	*process.Service
	dir, config, log string
}

func (a *agent) stateFile(name string) string { return filepath.Join(a.dir, "data", "client", name) }

// id is what the agent has in its state.
func (a *agent) id() string {
	id, err := os.ReadFile(a.stateFile("client-id"))
	if err != nil {
		return ""
	}
	return string(id)
}

const agentConfig = `
name = %q
region = "global"
datacenter = "dc1"
data_dir = %q
bind_addr = "127.0.0.1"
log_level = "DEBUG"
disable_update_check = true
leave_on_interrupt = false
leave_on_terminate = false
ports {
  http = %d
  rpc = %d
  serf = %d
}
advertise {
  http = "127.0.0.1"
  rpc = "127.0.0.1"
  serf = "127.0.0.1"
}
consul {
  address = "127.0.0.1:1"
  server_auto_join = false
  client_auto_join = false
  auto_advertise = false
}
client {
  enabled = true
  servers = [%q]
  node_pool = %q
  network_interface = "lo"
  cpu_total_compute = 4000
  memory_total_mb = 4096
  options {
    "driver.allowlist" = "raw_exec"
    "fingerprint.denylist" = "env_aws,env_gce,env_azure,env_digitalocean,consul,vault,cni,bridge"
  }
%s
}
plugin "raw_exec" {
  config {
    enabled = true
  }
}
acl {
  enabled = %t
}
%s
`

// configured is an agent that hasn't started. inClient is more of the block client, more is more beside it.
func (c *check) configured(inClient, more string) *agent {
	dir := c.dir()
	var ports [3]int
	for i := range ports {
		var err error
		ports[i], err = process.FreePort()
		c.must(err)
	}
	a := &agent{dir: dir, config: filepath.Join(dir, "agent.hcl"), log: filepath.Join(dir, "agent.log")}
	if c.CACert != "" {
		more += fmt.Sprintf(
			"\ntls {\n http = true\n rpc = true\n verify_server_hostname = true\n ca_file = %q\n cert_file = %q\n key_file = %q\n}\n",
			c.CACert, c.ClientCert, c.ClientKey)
	}
	text := fmt.Sprintf(agentConfig, c.id, filepath.Join(dir, "data"), ports[0], ports[1], ports[2], c.RPCAddr, c.id,
		inClient, c.acl, more)
	c.must(os.WriteFile(a.config, []byte(text), 0o600))
	a.Service = &process.Service{
		Spec: process.Spec{Name: "nomad client", Path: c.bin, Args: []string{"agent", "-config", a.config}, Env: quiet(),
			LogFile: a.log},
		Grace: 5 * time.Second,
	}
	return a
}

// quiet is the environment without what would direct a Nomad elsewhere.
func quiet() (env []string) {
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "NOMAD_") && !strings.HasPrefix(kv, "CONSUL_") && !strings.HasPrefix(kv, "VAULT_") {
			env = append(env, kv)
		}
	}
	return env
}

// seed puts a file into the state of an agent that hasn't started.
func (c *check) seed(a *agent, name, content string) {
	c.must(os.MkdirAll(filepath.Dir(a.stateFile(name)), 0o700))
	c.must(os.WriteFile(a.stateFile(name), []byte(content), 0o600))
}

func (c *check) start(a *agent) {
	c.must(a.Start(c.ctx))
	c.later(a.Stop)
}

// agent is one that has started and is ready.
func (c *check) agent(inClient ...string) *agent {
	a := c.configured(strings.Join(inClient, "\n"), "")
	c.start(a)
	c.awaitAgent(a)
	return a
}

func (c *check) awaitAgent(a *agent) {
	c.await("the agent's state", func() error {
		if a.id() == "" {
			return fmt.Errorf("no client-id yet: %s", a.Process().Tail(5))
		}
		return nil
	})
	c.awaitStatus(a.id(), "ready")
}

// logs waits for text in the agent's log.
func (c *check) logs(a *agent, text string) {
	c.await(fmt.Sprintf("%q in the log", text), func() error {
		log, err := os.ReadFile(a.log)
		if err == nil && !strings.Contains(string(log), text) {
			err = fmt.Errorf("it ends with %s", a.Process().Tail(5))
		}
		return err
	})
}

// command runs the program, and returns what it prints and its exit code.
func (c *check) command(args ...string) (string, int) {
	ctx, cancel := context.WithTimeout(c.ctx, c.timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, c.bin, args...)
	cmd.Env = append(quiet(), "NOMAD_ADDR="+c.addr, "NOMAD_TOKEN="+c.Token)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		c.must(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}
