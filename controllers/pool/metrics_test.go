package pool

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
)

func TestDeletedPoolLeavesNoMetrics(t *testing.T) {
	before := kubetest.Series()
	p := &v1alpha1.NomadNodePool{}
	p.Namespace, p.Name = "ns", "forgotten"
	reportPool(p, true)
	membersCreated.WithLabelValues("ns", "forgotten").Inc()
	if got := kubetest.Series(); got != before+4+4+1 {
		t.Fatalf("%d series, and %d before", got, before)
	}
	kube.ForgetMetrics("ns", "forgotten")
	if got := kubetest.Series(); got != before {
		t.Errorf("%d series are left, and %d were there before", got, before)
	}
}
