package node

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
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

// While the members of a deleted pool drain and go, nothing of its metrics comes back, until there is a pool of its name
// again.
func TestMembersOfADeletedPoolBringNoMetricsBack(t *testing.T) {
	for name, exists := range map[string]bool{"deleted": false, "made again": true} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainDeleted, now, now.Add(15*time.Minute))
				n.Spec.PoolName = "drains"
				s.nomad.allocs = nomad.AllocationsView{Started: now, Live: map[string][]nomad.Allocation{testNodeID: nil}}
				drained := &nomad.Drain{DrainID: "request-1", Status: nomad.DrainComplete}
				return running(n, s, nomad.Node{Status: nomad.NodeReady, LastDrain: drained})
			})
			kube.ForgetMetrics("ns", "drains")
			if exists {
				kube.KeepMetrics("ns", "drains")
			}
			before := kubetest.Series()
			s.reconcile(t)
			if nodestate.Condition(s.node(t), v1alpha1.NodeDrainCompleted).Status != metav1.ConditionTrue {
				t.Fatal("it isn't drained")
			}
			if got := kubetest.Series(); (got > before) != exists {
				t.Errorf("%d series, and %d before", got, before)
			}
			kube.ForgetMetrics("ns", "drains")
		})
	}
}
