package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// collectors are all that were registered.
var collectors []prometheus.Collector

// register has metrics served, and forgotten with their pool.
func register(c ...prometheus.Collector) {
	collectors = append(collectors, c...)
	metrics.Registry.MustRegister(c...)
}

// forgetPool takes a deleted pool out of all metrics: nobody ever looks at it again, and a name that comes again starts from 0. It
// is called once more when the last of its members, which outlive it, is gone.
func forgetPool(namespace, name string) {
	l := prometheus.Labels{"namespace": namespace, "pool": name}
	for _, c := range collectors {
		if v, ok := c.(interface {
			DeletePartialMatch(prometheus.Labels) int
		}); ok {
			v.DeletePartialMatch(l)
		}
	}
}
