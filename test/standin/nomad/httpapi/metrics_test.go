package httpapi_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A job that finds no node is told of by the number that queues, as in Nomad without any node, and no more once it is
// gone. How many jobs there are is told even if there are none. With ACLs it is told to anybody as well. (Seen of
// Nomad 1.11.3.)
func TestMetricsOfAJobThatWaits(t *testing.T) {
	w := newLeader(t, true)
	host, err := os.Hostname()
	w.must(err)
	w.metricsHave(fmt.Sprintf("nomad_nomad_job_status_running{host=%q} 0\n", host), true)
	token, _, err := w.client.ACLTokens().Bootstrap(nil)
	w.must(err)
	var answer api.JobRegisterResponse
	_, err = w.as(token.SecretID).Raw().Write("/v1/jobs", strings.NewReader(job), &answer, nil)
	w.must(err)
	w.metricsHave(
		fmt.Sprintf("nomad_nomad_job_summary_queued{host=%q,job=\"a/b\",namespace=\"default\",task_group=\"g\"} 2\n", host),
		true)
	w.metricsHave(
		fmt.Sprintf("nomad_nomad_job_summary_running{host=%q,job=\"a/b\",namespace=\"default\",task_group=\"g\"} 0\n", host),
		true)
	w.metricsHave(fmt.Sprintf("nomad_nomad_job_status_pending{host=%q} 1\n", host), true)
	_, _, err = w.as(token.SecretID).Jobs().Deregister("a/b", true, nil)
	w.must(err)
	w.metricsHave("nomad_nomad_job_summary_", false)
}

// metricsHave waits until the page for Prometheus has a text, or has it no more.
func (w *leader) metricsHave(text string, want bool) {
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
