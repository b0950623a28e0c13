package pool

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
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
	breakerOpen = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomadnodepool_breaker_open",
		Help: "1 while no member is made or replaced because the last ones didn't join Nomad.",
	}, []string{"namespace", "pool"})
	nomadReachable = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomadnodepool_nomad_reachable", Help: "1 while Nomad answers and the token may see what it must.",
	}, []string{"namespace", "pool"})
)

func init() { kube.RegisterMetrics(replicas, membersCreated, breakerOpen, nomadReachable) }

func reportPool(p *v1alpha1.NomadNodePool, known bool) {
	for state, n := range map[string]int32{
		"desired": p.DesiredReplicas(), "active": p.Status.Replicas, "ready": p.Status.ReadyReplicas,
		"updated": p.Status.UpdatedReplicas,
		"joining": p.Status.JoiningReplicas, "draining": p.Status.DrainingReplicas, "unhealthy": p.Status.UnhealthyReplicas,
	} {
		replicas.WithLabelValues(p.Namespace, p.Name, state).Set(float64(n))
	}
	nomadReachable.WithLabelValues(p.Namespace, p.Name).Set(oneIf(known))
	breakerOpen.WithLabelValues(p.Namespace, p.Name).Set(oneIf(joinsOf(p.Status.Joins).BreakerOpen()))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
