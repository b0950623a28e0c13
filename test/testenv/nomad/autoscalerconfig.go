package nomad

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"text/template"
)

// pluginName is the driver: the file name in the plugin directory, and what PluginInfo must answer.
const pluginName = "harvester"

// autoscalerConfig is what varies between agents.
type autoscalerConfig struct {
	AutoscalerOptions
	Port                 int
	PluginDir, PolicyDir string
}

var autoscalerTemplate = template.Must(
	template.New("autoscaler").Funcs(template.FuncMap{"q": quote}).Parse(`log_level  = "TRACE"
plugin_dir = {{ q .PluginDir }}

http {
  bind_address = "127.0.0.1"
  bind_port    = {{ .Port }}
}
nomad {
  address     = {{ q .NomadAddr }}
  token       = {{ q .NomadToken }}
  ca_cert     = {{ q .CACert }}
  client_cert = {{ q .ClientCert }}
  client_key  = {{ q .ClientKey }}
{{- if .Namespace }}
  namespace   = [{{ q .Namespace }}]
{{- end }}
}
{{- if .LockTTL }}
high_availability {
  enabled    = true
  lock_ttl   = "{{ .LockTTL }}"
  lock_delay = "{{ .LockDelay }}"
}
{{- end }}
policy {
  dir                         = {{ q .PolicyDir }}
  default_cooldown            = "1s"
  default_evaluation_interval = "1s"
}
telemetry {
  prometheus_metrics = true
  disable_hostname   = true
}
apm "nomad-apm" {
  driver = "nomad-apm"
  config = {
    node_filter_ignore_drain = "true"
    node_filter_ignore_init  = "true"
  }
}
{{- if .PrometheusAddr }}
apm "prometheus" {
  driver = "prometheus"
  config = {
    address = {{ q .PrometheusAddr }}
  }
}
{{- end }}
target "` + pluginName + `" {
  driver = "` + pluginName + `"
  config = {
{{- range $key, $value := .PluginConfig }}
    {{ q $key }} = {{ q $value }}
{{- end }}
  }
}
`),
)

// write makes the directories, links the plugin, and writes the policies and the agent's configuration.
func (c autoscalerConfig) write(file string) error {
	for _, dir := range []string{c.PluginDir, c.PolicyDir} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	plugin, err := filepath.Abs(c.PluginBin)
	if err != nil {
		return err
	}
	if err := os.Symlink(plugin, filepath.Join(c.PluginDir, pluginName)); err != nil {
		return fmt.Errorf("link plugin: %w", err)
	}
	for name, policy := range c.Policies {
		if err := os.WriteFile(filepath.Join(c.PolicyDir, name), []byte(policy), 0o644); err != nil {
			return err
		}
	}
	var b bytes.Buffer
	if err := autoscalerTemplate.Execute(&b, c); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o600) // it may hold a token
}
