package nomad

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"text/template"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// serverConfig is what varies between servers of different environments.
type serverConfig struct {
	Name, Region, Dir string
	// Join is the serf address of the server to join; empty: none.
	Join string
	// Leads is true for the first server of its region.
	Leads                       bool
	HTTPPort, RPCPort, SerfPort int
	ACL                         bool
	Introduction                string
	HeartbeatGrace              time.Duration
	// Advertise is the address that clients get.
	Advertise    string
	Certificates *certificates
}

// advertise is needed although bind_addr is given: Nomad refuses to default it to loopback outside dev mode.
// The limits are off because all clients of an environment share one address (default: 100 connections each).
// ui only has an effect in builds with the tag `ui`, which the test binary lacks.
var serverTemplate = template.Must(
	template.New("server").Funcs(template.FuncMap{"q": quote}).Parse(`name       = {{ q .Name }}
region     = {{ q .Region }}
datacenter = "` + Datacenter + `"
data_dir   = {{ printf "%s/data" .Dir | q }}
bind_addr  = "127.0.0.1"
log_level  = "DEBUG"

disable_update_check        = true
disable_anonymous_signature = true
leave_on_interrupt          = false
leave_on_terminate          = false

ports {
  http = {{ .HTTPPort }}
  rpc  = {{ .RPCPort }}
  serf = {{ .SerfPort }}
}
advertise {
  http = "127.0.0.1"
  rpc  = {{ q .Advertise }}
  serf = "127.0.0.1"
}
server {
  enabled                   = true
{{- if .Join }}
  server_join {
    retry_join     = [{{ q .Join }}]
    retry_interval = "1s"
  }
{{- end }}
{{- if .Leads }}
  bootstrap_expect          = 1
{{- end }}
  raft_multiplier           = 1
  num_schedulers            = 2
  heartbeat_grace           = "{{ .HeartbeatGrace }}"
  min_heartbeat_ttl         = "1s"
  max_heartbeats_per_second = 1000.0
  failover_heartbeat_ttl    = "30s"
{{- if .Introduction }}
  client_introduction {
    enforcement          = {{ q .Introduction }}
    default_identity_ttl = "5m"
    max_identity_ttl     = "30m"
  }
{{- end }}
}
autopilot {
  server_stabilization_time = "1s"
}
limits {
  http_max_conns_per_client = 0
  rpc_max_conns_per_client  = 0
}
consul {
  server_auto_join = false
  client_auto_join = false
  auto_advertise   = false
}
client {
  enabled = false
}
telemetry {
  prometheus_metrics = true
}
acl {
  enabled                  = {{ .ACL }}
  token_min_expiration_ttl = "1s"
}
ui {
  enabled = true
}
{{- with .Certificates }}
tls {
  http                   = true
  rpc                    = true
  verify_server_hostname = true
  verify_https_client    = true

  ca_file   = {{ q .CA }}
  cert_file = {{ q .ServerCert }}
  key_file  = {{ q .ServerKey }}
}
{{- end }}
`),
)

func (c *serverConfig) freePorts() (err error) {
	for _, port := range []*int{&c.HTTPPort, &c.RPCPort, &c.SerfPort} {
		if *port, err = process.FreePort(); err != nil {
			return err
		}
	}
	return nil
}

func (c serverConfig) write(file string) error {
	var b bytes.Buffer
	if err := serverTemplate.Execute(&b, c); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o600)
}

// quote writes s as a string of HCL. Interpolation is none of what these files need.
func quote(s string) string {
	return strings.ReplaceAll(fmt.Sprintf("%q", s), "${", "$${")
}

// cleanEnv removes what would make a program talk to something outside of its environment.
func cleanEnv(env []string) []string {
	var kept []string
	for _, kv := range env {
		external := false
		for _, prefix := range []string{"NOMAD_", "CONSUL_", "VAULT_", "KUBECONFIG=", "KUBERNETES_", "HARVESTER_"} {
			external = external || strings.HasPrefix(kv, prefix)
		}
		if !external {
			kept = append(kept, kv)
		}
	}
	return kept
}
