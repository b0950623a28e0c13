package kube

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Collectors are all registered metrics.
var Collectors []prometheus.Collector

// RegisterMetrics registers metrics, and has ForgetMetrics delete those of a pool.
func RegisterMetrics(c ...prometheus.Collector) {
	Collectors = append(Collectors, c...)
	metrics.Registry.MustRegister(c...)
}

// ForgetMetrics deletes the metrics of a deleted pool. A later pool of the same name starts from 0. It is called once
// more when the last of its members is gone, because members outlive their pool.
func ForgetMetrics(namespace, name string) {
	l := prometheus.Labels{"namespace": namespace, "pool": name}
	for _, c := range Collectors {
		if v, ok := c.(interface {
			DeletePartialMatch(prometheus.Labels) int
		}); ok {
			v.DeletePartialMatch(l)
		}
	}
}
