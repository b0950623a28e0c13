package pool

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestPoolSaysInItsStatusWhatTheServerTakes(t *testing.T) {
	p := &v1alpha1.NomadNodePool{}
	p.ManagedFields = []metav1.ManagedFieldsEntry{
		{
			Manager:  v1alpha1.AutoscalerFieldManager + "/" + kubetest.Long,
			FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`),
		},
	}
	s := &scope{pool: p, scale: lastScale(p, now)}
	s.snapshot = pool.Snapshot{Now: now, NomadReason: v1alpha1.ReasonUnreachable, NomadMessage: kubetest.Long}
	setStatus(s, pool.Plan{}, pool.Outcome{})
	if !strings.Contains(p.Status.LastScale.Reason, "Wörter") {
		t.Errorf("the reason is %.100q", p.Status.LastScale.Reason)
	}
	for _, c := range p.Status.Conditions {
		kubetest.Fits(t, c.Type, c.Message, kube.MaxMessage)
	}
	kubetest.Fits(t, "the reason of the last scaling", p.Status.LastScale.Reason, kube.MaxNote)
	if c := p.Status.Conditions; len(c) != len(v1alpha1.PoolConditions) {
		t.Errorf("%d conditions", len(c))
	}
}
