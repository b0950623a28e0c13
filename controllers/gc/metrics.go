package gc

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

var (
	swept = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "nomadnodepool_swept_total", Help: "Things left of members without a record that were removed, by kind: nomad_node, claim, secret.",
	}, []string{"kind"})
)

func init() {
	kube.RegisterMetrics(swept)
	for _, kind := range []orphan.Kind{orphan.ClientNode, orphan.Claim, orphan.Secret} {
		swept.WithLabelValues(string(kind)) // shown as 0
	}
}
