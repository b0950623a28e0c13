package controllers

import (
	"github.com/prometheus/client_golang/prometheus"
	"sigs.k8s.io/controller-runtime/pkg/metrics"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/sweep"
)

// Metrics are by pool; a label by member would grow without end.
var (
	replicas = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomadnodepool_replicas",
		Help: "Members of a pool by state: desired, active, ready, updated, joining, draining, unhealthy.",
	}, []string{"namespace", "pool", "state"})
	membersCreated = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomadnodepool_members_created_total", Help: "Members made.",
	}, []string{"namespace", "pool"})
	membersRemoved = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomadnodepool_members_removed_total", Help: "Members gone for good, by why they left.",
	}, []string{"namespace", "pool", "reason"})
	joinSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "nomadnodepool_join_duration_seconds", Help: "From the making of a member to its Nomad node being ready.",
		Buckets: []float64{5, 10, 20, 40, 60, 90, 120, 180, 300, 600, 1200},
	}, []string{"namespace", "pool"})
	drainSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "nomadnodepool_drain_duration_seconds", Help: "From the order to leave to the last allocation's end, by how it ended.",
		Buckets: []float64{1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600},
	}, []string{"namespace", "pool", "result"})
	breakerOpen = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomadnodepool_breaker_open", Help: "1 while no member is made or replaced because the last ones didn't join Nomad.",
	}, []string{"namespace", "pool"})
	nomadReachable = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomadnodepool_nomad_reachable", Help: "1 while Nomad answers and the token may see what it must.",
	}, []string{"namespace", "pool"})
	swept = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomadnodepool_swept_total", Help: "Things left of members without a record that were removed, by kind: nomad_node, claim, secret.",
	}, []string{"kind"})
)

// collectors are all of them.
var collectors = []prometheus.Collector{replicas, membersCreated, membersRemoved, joinSeconds, drainSeconds, breakerOpen, nomadReachable, swept}

func init() {
	metrics.Registry.MustRegister(collectors...)
	for _, kind := range []sweep.Kind{sweep.NomadNode, sweep.Claim, sweep.Secret} {
		swept.WithLabelValues(string(kind)) // shown as 0
	}
}

func reportPool(p *v1alpha1.NomadNodePool, known bool) {
	for state, n := range map[string]int32{
		"desired": p.DesiredReplicas(), "active": p.Status.Replicas, "ready": p.Status.ReadyReplicas, "updated": p.Status.UpdatedReplicas,
		"joining": p.Status.JoiningReplicas, "draining": p.Status.DrainingReplicas, "unhealthy": p.Status.UnhealthyReplicas,
	} {
		replicas.WithLabelValues(p.Namespace, p.Name, state).Set(float64(n))
	}
	nomadReachable.WithLabelValues(p.Namespace, p.Name).Set(oneIf(known))
	breakerOpen.WithLabelValues(p.Namespace, p.Name).Set(oneIf(joinsOf(p.Status.Registration).BreakerOpen()))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
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
