package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const client = `
name      = "web-1"
data_dir  = "/opt/nomad/data"
bind_addr = "0.0.0.0"
client {
  enabled   = true
  node_pool = "web"
  meta = { "a" = "1", "b" = "2" }
  options = { "fingerprint.denylist" = "env_aws" }
  reserved { cpu = 500 }
  server_join { retry_join = ["10.0.0.1", "[fd00::1]:5000"]  retry_interval = "15s" }
}
plugin "docker" { config { allow_privileged = false } }
`

// What the controller renders is read, and what a later file has goes over it.
func TestReadMerges(t *testing.T) {
	later := `{"client": {"meta": {"b": "3"}, "cpu_total_compute": 2000}, "ports": {"http": 1}, "plugin": {"raw_exec": {"config": {"enabled": true}}}, "advertise": {"http": "127.0.0.1"}}`
	c, err := Read(write(t, "a.hcl", client), write(t, "b.json", later))
	if err != nil {
		t.Fatal(err)
	}
	if c.Client.Meta["a"] != "1" || c.Client.Meta["b"] != "3" || c.Client.CPUTotalCompute != 2000 ||
		c.Client.Reserved.CPU != 500 {
		t.Errorf("client %+v", c.Client)
	}
	if c.Client.ServerJoin.RetryInterval != 15*time.Second || c.Client.NodePool != "web" || len(c.Plugin) != 2 {
		t.Errorf("got %+v", c)
	}
	if got := strings.Join(c.Client.ServerAddresses(), " "); got != "10.0.0.1:4647 [fd00::1]:5000" {
		t.Errorf("servers %s", got)
	}
	if c.Advertise.HTTP != "127.0.0.1:1" || c.HTTPBind() != "0.0.0.0:1" {
		t.Errorf("listens on %s, tells %s", c.HTTPBind(), c.Advertise.HTTP)
	}
}

// Nomad starts with none of these.
func TestReadRefuses(t *testing.T) {
	for text, says := range map[string]string{
		"data_dir = ":                                      "",
		`data_dir = "/d"`:                                  "Must specify either server, client or dev mode",
		`client { enabled = true }`:                        "data_dir",
		client + "\nbananas = 1":                           "bananas",
		client + "\nclient { node_pol = \"x\" }":           "node_pol",
		strings.Replace(client, "/opt", "opt", 1):          "absolute path",
		strings.Replace(client, `"web"`, `"all"`, 1):       "Invalid node pool",
		strings.Replace(client, "0.0.0.0", "127.0.0.1", 1): "Defaulting advertise to localhost is unsafe",
		client + "\nserver { client_introduction { enforcement = \"perhaps\" } }": "perhaps",
		client + "\nserver { heartbeat_grace = \"soon\" }":                        "heartbeat_grace",
	} {
		if _, err := Read(write(t, "c.hcl", text)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s\nis taken, or the error lacks %q: %v", text, says, err)
		}
	}
}
