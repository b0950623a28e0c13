package kube

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/metrics"
)

// Collectors are all registered metrics.
var Collectors []prometheus.Collector

// RegisterMetrics registers metrics, and has ForgetMetrics delete those of a pool.
func RegisterMetrics(c ...prometheus.Collector) {
	Collectors = append(Collectors, c...)
	metrics.Registry.MustRegister(c...)
}

// forgotten are the pools whose metrics were deleted, by namespace and name.
var forgotten sync.Map

// HasMetrics is false for a deleted pool: its members drain on, and what they do must not bring its metrics back.
func HasMetrics(namespace, name string) bool {
	_, gone := forgotten.Load(types.NamespacedName{Namespace: namespace, Name: name})
	return !gone
}

// KeepMetrics is called for a pool that exists, perhaps after another one of its name was deleted.
func KeepMetrics(namespace, name string) {
	forgotten.Delete(types.NamespacedName{Namespace: namespace, Name: name})
}

// ForgetMetrics deletes the metrics of a deleted pool. A later pool of the same name starts from 0. It is called once
// more when the last of its members is gone, because members outlive their pool.
func ForgetMetrics(namespace, name string) {
	forgotten.Store(types.NamespacedName{Namespace: namespace, Name: name}, true)
	l := prometheus.Labels{"namespace": namespace, "pool": name}
	for _, c := range Collectors {
		if v, ok := c.(interface {
			DeletePartialMatch(prometheus.Labels) int
		}); ok {
			v.DeletePartialMatch(l)
		}
	}
}
