package httpapi

import (
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// gauge is one number as /v1/metrics shows it.
type gauge struct {
	Name   string
	Value  float64
	Labels map[string]string
}

// metrics are those that an autoscaler looks at: what waits for capacity, how far the allocations of each job are,
// and how many jobs and nodes there are of each status. Like Nomad, it shows them to anybody.
func metrics(c *call) (any, error) {
	gauges := c.api.gauges()
	switch format := c.q.values.Get("format"); format {
	case "":
		return map[string]any{
			"Timestamp": c.api.now().UTC().Format("2006-01-02 15:04:05 -0700 MST"), "Gauges": gauges,
			"Points": []any{}, "Counters": []any{}, "Samples": []any{},
		}, nil
	case "prometheus":
		return raw{"text/plain; version=0.0.4; charset=utf-8", []byte(prometheus(gauges))}, nil
	default:
		return nil, fail(http.StatusBadRequest, "invalid format %q", format)
	}
}

func (a *API) gauges() []gauge {
	blocked := a.server.Blocked()
	out := []gauge{
		{"nomad.nomad.blocked_evals.total_blocked", float64(blocked.Evals), map[string]string{}},
		{"nomad.nomad.blocked_evals.total_escaped", float64(blocked.Escaped), map[string]string{}},
		{"nomad.nomad.blocked_evals.total_quota_limit", 0, map[string]string{}},
	}
	for _, key := range keysOf(blocked.Jobs) {
		j := blocked.Jobs[key]
		of := map[string]string{"namespace": j.Namespace, "job": j.Job}
		where := map[string]string{"datacenter": j.Datacenter, "node_class": "", "node_pool": j.NodePool}
		out = append(out, gauge{"nomad.nomad.blocked_evals.job.cpu", float64(j.CPU), of},
			gauge{"nomad.nomad.blocked_evals.job.memory", float64(j.MemoryMB), of})
		out = added(out, gauge{"nomad.nomad.blocked_evals.cpu", float64(j.CPU), where})
		out = added(out, gauge{"nomad.nomad.blocked_evals.memory", float64(j.MemoryMB), where})
	}
	out = append(out, a.summaries()...)
	out = append(out, a.jobStatuses()...)
	counts := map[string]float64{}
	for _, n := range state.Nodes.All(a.server.Store().Read()) {
		counts[n.Status]++
	}
	for _, status := range keysOf(counts) {
		out = append(out, gauge{"nomad.nomad.heartbeat.active." + status, counts[status], map[string]string{}})
	}
	host, err := os.Hostname()
	for _, g := range out {
		if err == nil { // each has it, unless telemetry says disable_hostname
			g.Labels["host"] = host
		}
	}
	return out
}

// jobStatuses count the jobs. Nomad tells of each status, whether there are any or not.
func (a *API) jobStatuses() []gauge {
	counts := map[string]float64{}
	for _, j := range state.Jobs.All(a.server.Store().Read()) {
		counts[state.Value(j.Status)]++
	}
	var out []gauge
	for _, status := range []string{state.JobPending, state.JobRunning, state.JobDead} {
		out = append(out, gauge{"nomad.nomad.job_status." + status, counts[status], map[string]string{}})
	}
	return out
}

// summaries count the allocations of each task group. Nomad tells them with and without nodes.
func (a *API) summaries() []gauge {
	var out []gauge
	snapshot := a.server.Store().Read()
	for _, j := range state.Jobs.All(snapshot) {
		namespace, id := state.Value(j.Namespace), state.Value(j.ID)
		groups := a.server.JobSummary(snapshot, namespace, id).Summary
		for _, group := range keysOf(groups) {
			n := groups[group]
			for status, count := range map[string]int{
				"queued": n.Queued, "starting": n.Starting, "running": n.Running, "complete": n.Complete,
				"failed": n.Failed, "lost": n.Lost, "unknown": n.Unknown,
			} {
				of := map[string]string{"namespace": namespace, "job": id, "task_group": group}
				out = append(out, gauge{"nomad.nomad.job_summary." + status, float64(count), of})
			}
		}
	}
	return out
}

// added puts a number to that of the same name and labels.
func added(all []gauge, g gauge) []gauge {
	for i := range all {
		if all[i].Name == g.Name && labels(all[i].Labels) == labels(g.Labels) {
			all[i].Value += g.Value
			return all
		}
	}
	return append(all, g)
}

func prometheus(gauges []gauge) string {
	var b strings.Builder
	typed := map[string]bool{}
	for _, g := range sortedBy(gauges, func(g gauge) string { return g.Name }) {
		name := strings.NewReplacer(".", "_", "-", "_").Replace(g.Name)
		if !typed[name] {
			typed[name] = true
			fmt.Fprintf(&b, "# HELP %s %s\n# TYPE %s gauge\n", name, name, name)
		}
		fmt.Fprintf(&b, "%s%s %g\n", name, labels(g.Labels), g.Value)
	}
	return b.String()
}

func labels(l map[string]string) string {
	if len(l) == 0 {
		return ""
	}
	var parts []string
	for _, key := range keysOf(l) {
		parts = append(parts, fmt.Sprintf("%s=%q", key, l[key]))
	}
	return "{" + strings.Join(parts, ",") + "}"
}
