package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// prometheus is a running Prometheus.
type prometheus struct{ addr string }

// startPrometheus runs one for a test.
func startPrometheus(t *testing.T, targets ...string) *prometheus {
	t.Helper()
	p, err := w.StartPrometheus(t.Context(), targets...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Prometheus:\n%s", p.Process().Tail(20))
		}
		if err := p.Stop(); err != nil {
			t.Error(err)
		}
	})
	return &prometheus{p.Addr}
}

// ask answers a query as it is now; nothing is "none", and more than one series an error.
func (p *prometheus) ask(ctx context.Context, query string) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, p.addr+"/api/v1/query?query="+url.QueryEscape(query),
		nil)
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
	err := process.WaitFor(ctx, 100*time.Millisecond, "Prometheus to answer "+strconv.Quote(want),
		func(ctx context.Context) error {
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
