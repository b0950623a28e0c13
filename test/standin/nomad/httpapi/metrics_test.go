package httpapi_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A job that finds no node is told of by the number that queues, as in Nomad without any node, and no more once it is gone.
func TestMetricsOfAJobThatWaits(t *testing.T) {
	w := newWorld(t, false)
	var answer api.JobRegisterResponse
	_, err := w.client.Raw().Write("/v1/jobs", strings.NewReader(job), &answer, nil)
	w.must(err)
	w.metricsHave(`nomad_nomad_job_summary_queued{job="a/b",namespace="default",task_group="g"} 2`, true)
	w.metricsHave(`nomad_nomad_job_summary_running{job="a/b",namespace="default",task_group="g"} 0`, true)
	_, _, err = w.client.Jobs().Deregister("a/b", true, nil)
	w.must(err)
	w.metricsHave(`nomad_nomad_job_summary_`, false)
}

// metricsHave waits until the page for Prometheus has a text, or has it no more.
func (w *world) metricsHave(text string, want bool) {
	w.t.Helper()
	var page []byte
	for range 100 {
		request, err := http.NewRequestWithContext(w.t.Context(), http.MethodGet, w.url+"/v1/metrics?format=prometheus", nil)
		w.must(err)
		response, err := http.DefaultClient.Do(request)
		w.must(err)
		page, err = io.ReadAll(response.Body)
		w.must(err)
		w.must(response.Body.Close())
		if strings.Contains(string(page), text) == want {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	w.t.Errorf("%q in the metrics is not %t:\n%s", text, want, page)
}
