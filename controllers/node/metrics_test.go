package node

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
)

// The members of a deleted pool leave no metrics either.
func TestDeletedPoolLeavesNoMetricsOfMembers(t *testing.T) {
	before := kubetest.Series()
	membersRemoved.WithLabelValues("ns", "forgotten", "ScaleIn").Inc()
	joinSeconds.WithLabelValues("ns", "forgotten").Observe(1)
	drainSeconds.WithLabelValues("ns", "forgotten", "drained").Observe(1)
	if got := kubetest.Series(); got != before+1+1+1 {
		t.Fatalf("%d series, and %d before", got, before)
	}
	kube.ForgetMetrics("ns", "forgotten")
	if got := kubetest.Series(); got != before {
		t.Errorf("%d series are left, and %d were there before", got, before)
	}
}
