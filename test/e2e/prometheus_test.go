package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/test/world/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/world/kube"
	"github.com/nomad-harvester/nomad-harvester/test/world/process"
)

// prometheus is a running Prometheus.
type prometheus struct{ addr string }

// startPrometheus runs a Prometheus by config/autoscaler/prometheus.yml, of which only the targets are others, and the interval.
func startPrometheus(t *testing.T, targets ...string) *prometheus {
	t.Helper()
	tools, err := binaries.Ensure(t.Context(), os.Stderr, binaries.Prometheus)
	if err != nil {
		t.Fatal(err)
	}
	port, err := process.FreePort()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &prometheus{fmt.Sprintf("http://127.0.0.1:%d", port)}
	service := process.Service{
		Spec: process.Spec{
			Name: "prometheus", Path: tools[binaries.Prometheus], Dir: dir, LogFile: filepath.Join(dir, "prometheus.log"),
			Args: []string{"--config.file=" + prometheusConfig(t, dir, targets), "--log.level=warn", "--storage.tsdb.path=" + filepath.Join(dir, "data"), fmt.Sprintf("--web.listen-address=127.0.0.1:%d", port)},
		},
		Ready: kube.Healthy(http.DefaultClient, p.addr+"/-/ready"),
	}
	ctx, cancel := context.WithTimeout(t.Context(), slack*10*time.Second)
	defer cancel()
	if err := service.Start(ctx); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Prometheus:\n%s", service.Process().Tail(20))
		}
		if err := service.Stop(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// prometheusConfig writes the example with other targets, which are read each second.
func prometheusConfig(t *testing.T, dir string, targets []string) string {
	t.Helper()
	text, err := os.ReadFile("../../config/autoscaler/prometheus.yml")
	if err != nil {
		t.Fatal(err)
	}
	var config struct {
		Scrapes []map[string]any `json:"scrape_configs"`
	}
	if err := yaml.UnmarshalStrict(text, &config); err != nil || len(config.Scrapes) != 1 || config.Scrapes[0]["static_configs"] == nil {
		t.Fatalf("prometheus.yml has not the one scrape: %v", err)
	}
	config.Scrapes[0]["static_configs"] = []map[string]any{{"targets": targets}}
	config.Scrapes[0]["scrape_interval"], config.Scrapes[0]["scrape_timeout"] = "1s", "1s"
	if text, err = yaml.Marshal(config); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// ask answers a query as it is now; nothing is "none", and more than one series an error.
func (p *prometheus) ask(ctx context.Context, query string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.addr+"/api/v1/query?query="+url.QueryEscape(query), nil)
	if err != nil {
		return "", err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Value [2]any `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return "", err
	}
	switch result := answer.Data.Result; {
	case answer.Error != "":
		return "", fmt.Errorf("prometheus: %s", answer.Error)
	case len(result) == 0:
		return "none", nil
	case len(result) > 1:
		return "", fmt.Errorf("prometheus answers with %d series: %v", len(result), result)
	default:
		return fmt.Sprint(result[0].Value[1]), nil
	}
}

// answers waits until Prometheus answers a query with a number, or with "none".
func (p *prometheus) answers(t *testing.T, query, want string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*10*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, 100*time.Millisecond, "Prometheus to answer "+strconv.Quote(want), func(ctx context.Context) error {
		got, err := p.ask(ctx, query)
		if err == nil && got != want {
			err = fmt.Errorf("it answers %q", got)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
