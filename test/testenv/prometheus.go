package testenv

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Prometheus is a running one.
type Prometheus struct {
	*process.Service
	// Addr is its address, with scheme.
	Addr string
}

// prometheusTimeout bounds its start.
const prometheusTimeout = 30 * time.Second

// StartPrometheus runs a Prometheus by config/autoscaler/prometheus.yml, of which only the targets are others, and
// the interval: a second. The environment stops it.
func (w *Environment) StartPrometheus(ctx context.Context, targets ...string) (*Prometheus, error) {
	p, err := w.newPrometheus(ctx, targets)
	if err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, prometheusTimeout)
	defer cancel()
	if err := p.Start(ctx); err != nil {
		return nil, fmt.Errorf("prometheus: %w", err)
	}
	return p, nil
}

func (w *Environment) newPrometheus(ctx context.Context, targets []string) (*Prometheus, error) {
	tools, err := binaries.Ensure(ctx, w.options.Progress, binaries.Prometheus)
	if err != nil {
		return nil, err
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	dir := filepath.Join(w.Dir, fmt.Sprintf("prometheus-%d", len(w.prometheuses)+1))
	config := filepath.Join(dir, "prometheus.yml")
	if err := writePrometheusConfig(config, targets); err != nil {
		return nil, err
	}
	p := &Prometheus{Addr: fmt.Sprintf("http://127.0.0.1:%d", port)}
	p.Service = &process.Service{
		Spec: process.Spec{
			Name: "prometheus", Path: tools[binaries.Prometheus], Dir: dir, LogFile: filepath.Join(dir, "prometheus.log"),
			Args: []string{"--config.file=" + config, "--log.level=warn", "--storage.tsdb.path=" + filepath.Join(dir, "data"),
				fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port)},
		},
		Ready: kube.Healthy(http.DefaultClient, p.Addr+"/-/ready"),
	}
	w.prometheuses = append(w.prometheuses, p)
	return p, nil
}

var errScrapes = errors.New("config/autoscaler/prometheus.yml has not the one scrape")

// writePrometheusConfig writes the example with other targets, which are read each second.
func writePrometheusConfig(file string, targets []string) error {
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(root, "config", "autoscaler", "prometheus.yml"))
	if err != nil {
		return err
	}
	var config struct {
		Scrapes []map[string]any `json:"scrape_configs"`
	}
	if err := yaml.UnmarshalStrict(text, &config); err != nil {
		return err
	}
	if len(config.Scrapes) != 1 || config.Scrapes[0]["static_configs"] == nil {
		return errScrapes
	}
	config.Scrapes[0]["static_configs"] = []map[string]any{{"targets": targets}}
	config.Scrapes[0]["scrape_interval"], config.Scrapes[0]["scrape_timeout"] = "1s", "1s"
	if text, err = yaml.Marshal(config); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
