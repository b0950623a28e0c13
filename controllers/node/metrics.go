package node

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// Metrics are by pool; a label by member would grow without end.
var (
	membersRemoved = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomad_harvester_pool_members_removed_total", Help: "Members gone for good, by why they left.",
	}, []string{"namespace", "pool", "reason"})
	joinSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "nomad_harvester_pool_join_duration_seconds",
		Help:    "From the making of a member to its Nomad node being ready.",
		Buckets: []float64{5, 10, 20, 40, 60, 90, 120, 180, 300, 600, 1200},
	}, []string{"namespace", "pool"})
	drainSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "nomad_harvester_pool_drain_duration_seconds",
		Help:    "From the drain request to the last allocation's end, by how it ended.",
		Buckets: []float64{1, 5, 15, 30, 60, 120, 300, 600, 900, 1800, 3600},
	}, []string{"namespace", "pool", "result"})
)

func init() { kube.RegisterMetrics(membersRemoved, joinSeconds, drainSeconds) }
