package gc

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

var (
	orphansRemoved = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomad_harvester_orphans_removed_total",
		Help: "Orphaned resources, of members without a NomadNode, that were removed; kind: nomad_node, claim, secret.",
	}, []string{"kind"})
)

func init() {
	kube.RegisterMetrics(orphansRemoved)
	for _, kind := range []orphan.Kind{orphan.ClientNode, orphan.Claim, orphan.Secret} {
		orphansRemoved.WithLabelValues(string(kind)) // shown as 0
	}
}
