package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
)

// metricChanges is how often the metric changes.
const metricChanges = 20

// evaluation is how often the autoscaler looks at the metric.
const evaluation = time.Second

// metricPolicy asks for as many members as the metric says.
func metricPolicy(pool string) string {
	return fmt.Sprintf(`
scaling %[1]q {
  enabled = true
  min     = 0
  max     = 100
  policy {
    cooldown            = "1s"
    evaluation_interval = %[2]q
    check "wanted" {
      source       = "prometheus"
      query        = "wanted"
      query_window = "10s"
      strategy "pass-through" {}
    }
    target "harvester" {
      node_pool_name = %[1]q
      namespace      = %[3]q
    }
  }
}
`, pool, evaluation, fixtures.Namespace)
}

// metricToVM measures how long it takes from another value of the metric until the VM that it asks for exists, with the
// real agent and the real plugin. Only who answers the agent's question for the metric is ours.
func (b *bench) metricToVM(ctx context.Context) error {
	if !b.wants("P10") {
		return nil
	}
	const name = "metric"
	pool, err := b.pool(ctx, name)
	if err != nil {
		return err
	}
	delays, err := b.followMetric(ctx, name)
	if err != nil {
		return err
	}
	slices.Sort(delays)
	what := fmt.Sprintf("metric changes in the APM -> VM exists, %d times, ", metricChanges)
	limit := evaluation.Seconds() + 0.5
	b.report.Rows = append(b.report.Rows,
		row{ID: "P10", What: what + "p50", Unit: "s", Controller: []float64{median(delays)}, Target: "none", Limit: noLimit},
		row{ID: "P10", What: what + "p95", Unit: "s", Controller: []float64{delays[(len(delays)*95+99)/100-1]},
			Target: fmt.Sprintf("<= %.1f s", limit), Limit: limit})
	if err := b.scale(ctx, pool, 0); err != nil {
		return err
	}
	if err := b.awaitReady(ctx, name, 0); err != nil {
		return err
	}
	return b.removePool(ctx, pool)
}

// followMetric has an autoscaler follow the metric, and returns how late a pool's VMs are.
func (b *bench) followMetric(ctx context.Context, name string) (delays []float64, err error) {
	vms, err := watchClock(ctx, b.client, vmKind, ofPool(name)...)
	if err != nil {
		return nil, err
	}
	defer vms.cancel()
	apm, err := nomad.StartFakePrometheus(0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, apm.Stop()) }()
	agent, err := b.env.StartAutoscaler(ctx, testenv.AutoscalerOptions{PrometheusAddr: apm.Addr,
		Policies: map[string]string{name + ".hcl": metricPolicy(name)}})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, agent.Stop()) }()
	for i := range metricChanges {
		if err := b.awaitReady(ctx, name, i); err != nil {
			return nil, err
		}
		// So that the cooldown is over, and each change comes at another moment between two evaluations.
		sleep(ctx, 3*time.Second+time.Duration(i)*evaluation/metricChanges)
		start := time.Now()
		apm.Set(float64(i + 1))
		delay, err := seconds(vms.await(ctx, start, i+1, ""))
		if err != nil {
			return nil, err
		}
		b.log("metric says %d: %.2f s", i+1, delay)
		delays = append(delays, delay)
	}
	return delays, nil
}
