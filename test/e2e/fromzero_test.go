package e2e

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/nomad/api"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// The example policy whose pool may be empty.
const fromZeroFile = "../../config/autoscaler/from-zero.hcl"

// fromZero is the policy as it is shipped, but that it is evaluated each second, and its query.
func fromZero(t *testing.T) (policy, query string) {
	t.Helper()
	text, err := os.ReadFile(fromZeroFile)
	if err != nil {
		t.Fatal(err)
	}
	policy = string(text)
	for key, value := range map[string]string{"evaluation_interval": "1s", "cooldown": "1s", "cooldown_on_scale_up": "1s",
		"query_window": "5s"} {
		line := regexp.MustCompile(`(?m)^(\s*` + key + `\s*=) "\w+"$`)
		if found := len(line.FindAllString(policy, -1)); found != 1 {
			t.Fatalf("%s has %d lines of %s", fromZeroFile, found, key)
		}
		policy = line.ReplaceAllString(policy, fmt.Sprintf("$1 %q", value))
	}
	file, diags := hclparse.NewParser().ParseHCL(text, fromZeroFile)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	body := file.Body.(*hclsyntax.Body)
	for _, block := range []string{"scaling", "policy", "check"} {
		for _, b := range body.Blocks {
			if b.Type == block {
				body = b.Body
				break
			}
		}
	}
	value, diags := body.Attributes["query"].Expr.Value(nil)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return policy, value.AsString()
}

// The example policy with Prometheus, the real agent and the plugin: a pool that is empty grows to what allocations
// that wait need, and is empty again when their jobs have ended. A pool without jobs stays empty and nothing
// complains. While Nomad can't be read the pool is left as it is.
func TestFromZero(t *testing.T) {
	t.Parallel()
	const pool = "build-farm" // as in the policy
	create(t, newPool(pool, 0, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.NodeClass = "build"
		p.Spec.MaxReplicas = ptr.To[int32](20)
		p.Spec.ScaleIn.Strategy = v1alpha1.EmptyIgnoreSystem
	}))
	eventually(t, pool, "the empty pool to settle", 30*time.Second, allReady(0))
	// Nomad refuses jobs in a node pool that it doesn't know, and doesn't hear of it before its first member joins.
	if _, err := w.Nomad.NodePools().Register(&api.NodePool{Name: pool}, nil); err != nil {
		t.Fatal(err)
	}
	policy, query := fromZero(t)
	way := wayToNomad(t)
	p := startPrometheus(t, way.Listener.Addr().String())
	p.answers(t, query, "0")
	a := startAgent(t, map[string]string{"from-zero.hcl": policy},
		func(o *testenv.AutoscalerOptions) { o.PrometheusAddr = p.addr })

	a.evaluates(t, 5)
	unmoved(t, pool, 0)
	if output := a.complaints(); len(output) > 0 {
		t.Errorf("without a job there are complaints: %s", output)
	}

	register(t, api.NewBatchJob("batch-compile", "batch-compile", "global", 50), pool, 5, forever)
	eventually(t, pool, "members for five allocations", time.Minute, allReady(2))
	running(t, "batch-compile", 5)
	register(t, api.NewBatchJob("batch-test", "batch-test", "global", 50), pool, 4, forever)
	eventually(t, pool, "members for nine allocations", time.Minute, allReady(3))
	running(t, "batch-test", 4)
	if output := a.complaints(); len(output) > 0 {
		t.Errorf("there are complaints: %s", output)
	}

	way.cutOff()
	p.answers(t, query, "none")
	a.logs(t, "[ERROR]", "no metrics available")
	unmoved(t, pool, 3)
	way.cut.Store(false)
	p.answers(t, query, "3")
	a.evaluates(t, 1)
	before := len(a.complaints())

	for _, job := range []string{"batch-compile", "batch-test"} {
		if _, _, err := w.Nomad.Jobs().Deregister(job, false, nil); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, pool, "the pool to be empty", 2*time.Minute, allReady(0))
	a.evaluates(t, 5)
	unmoved(t, pool, 0)
	if output := a.complaints(); len(output) > before {
		t.Errorf("with the jobs ended there are complaints: %s", output[before:])
	}
	a.checkSound(t)
}

// evaluates waits until the agent has evaluated its policy some times more.
func (a *agent) evaluates(t *testing.T, times int) {
	t.Helper()
	const evaluated = "calculating scaling target"
	already := len(a.lines(evaluated))
	ctx, cancel := context.WithTimeout(t.Context(), slack*30*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, poll, "evaluations of the policy", func(context.Context) error {
		if more := len(a.lines(evaluated)) - already; more < times {
			return fmt.Errorf("there were %d of %d", more, times)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// complaints are the lines of the log that tell of errors.
//
// That the API server was slow for a moment is none of the policy's doing: the plugin waits for it less than a second.
func (a *agent) complaints() []string {
	return slices.DeleteFunc(append(a.lines("[ERROR]"), a.lines("[WARN]")...), func(line string) bool {
		return strings.Contains(line, "external_plugin.harvester") && strings.Contains(line, "context deadline exceeded")
	})
}

// servers are the metrics of two servers of Nomad, each empty as long as its server can't be reached.
type servers [2]atomic.Pointer[string]

// say changes what they say, and waits until Prometheus has read it.
func (s *servers) report(t *testing.T, p *prometheus, step int, pages ...string) {
	t.Helper()
	read := 0
	for i, page := range pages {
		if page != "" {
			page += fmt.Sprintf("step %d\n", step)
			read++
		}
		s[i].Store(&page)
	}
	want := strconv.Itoa(read)
	if read == 0 {
		want = "none"
	}
	p.answers(t, fmt.Sprintf("count(step == %d)", step), want)
	p.answers(t, "count(step)", want)
}

func (s *servers) start(t *testing.T) (targets []string) {
	t.Helper()
	for i := range s {
		listener := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, _ *http.Request) {
			page := s[i].Load()
			if page == nil || *page == "" {
				http.Error(out, "no server", http.StatusBadGateway)
				return
			}
			out.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
			_, _ = out.Write([]byte(*page)) // or the reader has gone
		}))
		t.Cleanup(listener.Close)
		targets = append(targets, strings.TrimPrefix(listener.URL, "http://"))
	}
	return targets
}

// What servers of Nomad 1.11.3 say, as far as it matters: those that follow, those that lead, and then of each job.
const (
	follows = "nomad_nomad_blocked_evals_total_blocked{host=\"vm\"} 0\n"
	leads   = follows + "nomad_nomad_job_status_dead{host=\"vm\"} 0\n" +
		"nomad_nomad_job_status_pending{host=\"vm\"} 0\nnomad_nomad_job_status_running{host=\"vm\"} 0\n"
)

func jobMetrics(queued, starting, running int, labels string) string {
	var b strings.Builder
	for status, n := range map[string]int{"complete": 7, "failed": 7, "lost": 7, "queued": queued, "running": running,
		"starting": starting, "unknown": 7} {
		fmt.Fprintf(&b, "nomad_nomad_job_summary_%s{%s} %d\n", status, labels, n)
	}
	return b.String()
}

// The query of the example policy, by the metrics that servers of Nomad 1.11.3 were seen to publish.
func TestFromZeroQuery(t *testing.T) {
	t.Parallel()
	_, query := fromZero(t)
	docs, err := os.ReadFile("../../docs/autoscaler.md")
	if shown := "    " + strings.ReplaceAll(strings.TrimSpace(query), "\n", "\n    "); err != nil ||
		!strings.Contains(string(docs), shown) {
		t.Errorf("docs/autoscaler.md doesn't show the query (%v):\n%s", err, shown)
	}
	waits := jobMetrics(3, 0, 0, `host="vm",job="batch-a",namespace="default",task_group="g"`)
	runs := jobMetrics(0, 1, 2, `host="vm",job="batch-a",namespace="default",task_group="g"`)
	dispatched := jobMetrics(0, 0, 0, `host="vm",job="batch-p",namespace="default",task_group="g"`) +
		jobMetrics(
			2,
			0,
			0,
			`dispatch_id="1795923374-9001f091",host="vm",job="batch-p/dispatch-1795923374-9001f091",namespace="default",parent_id="batch-p",task_group="g"`,
		)
	elsewhere := jobMetrics(3, 0, 1, `host="vm",job="batch-a",namespace="other",task_group="g"`)
	web := jobMetrics(50, 0, 50, `host="vm",job="web",namespace="default",task_group="g"`) + jobMetrics(50, 0, 50,
		`host="vm",job="no-batch-a",namespace="default",task_group="g"`)
	var s servers
	p := startPrometheus(t, s.start(t)...)
	for i, step := range []struct{ what, one, other, want string }{
		{"there is no job", leads, follows, "0"},
		{"nobody answers", "", "", "none"},
		{"who leads doesn't answer", "", follows, "none"},
		{"allocations wait", leads + waits, follows, "1"},
		{"they start and run", leads + runs, follows, "1"},
		{"another job does", leads + web, follows, "0"},
		{"a dispatched job waits as well", leads + waits + dispatched, follows, "2"},
		{"a job of the same name in another namespace does", leads + waits + dispatched + elsewhere, follows, "3"},
		// For a minute it repeats what it said when it led.
		{"another server leads", leads + waits + dispatched, leads + runs + dispatched, "2"},
		{"who led has forgotten", follows, leads + runs + dispatched, "2"},
		{"they have ended", follows,
			leads + jobMetrics(0, 0, 0, `host="vm",job="batch-a",namespace="default",task_group="g"`),
			"0"},
	} {
		s.report(t, p, i, step.one, step.other)
		if got, err := p.ask(t.Context(), query); err != nil || got != step.want {
			t.Errorf("%s: the query says %q, not %q (%v)", step.what, got, step.want, err)
		}
	}
}
