package kube

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestDeletedPoolLeavesNoMetrics(t *testing.T) {
	seen := prometheus.NewCounterVec(
		prometheus.CounterOpts{Name: "nomad_harvester_pool_test_total", Help: "Of this test."},
		[]string{"namespace", "pool", "reason"})
	RegisterMetrics(seen)
	for _, pool := range []string{"forgotten", "kept"} {
		seen.WithLabelValues("ns", pool, "a").Inc()
		seen.WithLabelValues("ns", pool, "b").Inc()
	}
	ForgetMetrics("ns", "forgotten")
	ch := make(chan prometheus.Metric, 10)
	seen.Collect(ch)
	if len(ch) != 2 {
		t.Errorf("%d series are left", len(ch))
	}
}
