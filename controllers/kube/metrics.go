package kube

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Collectors are all that were registered.
var Collectors []prometheus.Collector

// RegisterMetrics has metrics served, and forgotten with their pool.
func RegisterMetrics(c ...prometheus.Collector) {
	Collectors = append(Collectors, c...)
	metrics.Registry.MustRegister(c...)
}

// ForgetMetrics takes a deleted pool out of all metrics: nobody ever looks at it again, and a name that comes again
// starts from 0. It is called once more when the last of its members, which outlive it, is gone.
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
