package node

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func TestStatusHasWhatTheServerAccepts(t *testing.T) {
	s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
		n.Spec.Drain = nodestate.NewDrainRequest("request-1", v1alpha1.DrainScaleIn, now, now.Add(1))
		busy := alloc
		busy.Name, busy.ID = kubetest.Long, "äöüäöü"
		s.nomad.allocs = nomad.AllocationsView{Started: now,
			Live: map[string][]nomad.Allocation{testNodeID: {busy, busy, busy}}}
		return running(n, s,
			nomad.Node{Name: "p-1", Status: kubetest.Long, Draining: true, LastDrain: &nomad.Drain{DrainID: "request-1"}})
	})
	s.reconcile(t)
	st := s.node(t).Status
	for _, c := range st.Conditions {
		kubetest.Fits(t, c.Type, c.Message, kube.MaxMessage)
	}
	kubetest.Fits(t, "the node's status", st.Nomad.Status, 32) // as a column of kubectl's
	if len(st.Nomad.Blocking) != 3 {
		t.Errorf("blocking: %d", len(st.Nomad.Blocking))
	}
	for _, b := range st.Nomad.Blocking {
		kubetest.Fits(t, "what blocks", b, kube.MaxWord)
	}
	changed := &scope{node: s.node(t), observed: nodestate.State{Now: now}}
	changed.node.Status = statusOf(changed, changed.node, member.Outcome{}, member.Description{
		Conditions: map[string]metav1.Condition{v1alpha1.NodeReady: {Status: "False", Reason: "R", Message: kubetest.Long}}})
	kubetest.Fits(t, "a member's condition", nodestate.Condition(changed.node, v1alpha1.NodeReady).Message,
		kube.MaxMessage)
}
