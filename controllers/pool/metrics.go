package pool

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// Metrics are by pool; a label by member would grow without end.
var (
	replicasDesired = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomad_harvester_pool_replicas_desired",
		Help: "Members that the pool should have, without those that are leaving.",
	}, []string{"namespace", "pool"})
	members = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomad_harvester_pool_members",
		Help: "Members of a pool by state: ready, joining, unhealthy, draining. Each is in one of them.",
	}, []string{"namespace", "pool", "state"})
	membersUpdated = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomad_harvester_pool_members_updated",
		Help: "Members that aren't draining and don't have to be replaced by a rollout.",
	}, []string{"namespace", "pool"})
	membersCreated = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomad_harvester_pool_members_created_total", Help: "Members made.",
	}, []string{"namespace", "pool"})
	breakerOpen = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomad_harvester_pool_breaker_open",
		Help: "1 while no member is made or replaced because the last ones didn't join Nomad.",
	}, []string{"namespace", "pool"})
	nomadReachable = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "nomad_harvester_pool_nomad_reachable", Help: "1 while Nomad answers and the token may see what it must.",
	}, []string{"namespace", "pool"})
)

func init() {
	kube.RegisterMetrics(replicasDesired, members, membersUpdated, membersCreated, breakerOpen, nomadReachable)
}

func reportPool(p *v1alpha1.NomadNodePool, known bool) {
	kube.KeepMetrics(p.Namespace, p.Name)
	for state, n := range map[string]int32{
		"ready": p.Status.ReadyReplicas, "joining": p.Status.JoiningReplicas, "unhealthy": p.Status.UnhealthyReplicas,
		"draining": p.Status.DrainingReplicas,
	} {
		members.WithLabelValues(p.Namespace, p.Name, state).Set(float64(n))
	}
	replicasDesired.WithLabelValues(p.Namespace, p.Name).Set(float64(p.DesiredReplicas()))
	membersUpdated.WithLabelValues(p.Namespace, p.Name).Set(float64(p.Status.UpdatedReplicas))
	nomadReachable.WithLabelValues(p.Namespace, p.Name).Set(oneIf(known))
	breakerOpen.WithLabelValues(p.Namespace, p.Name).Set(oneIf(joinsOf(p.Status.Joins).BreakerOpen()))
}

func oneIf(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}
