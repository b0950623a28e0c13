package pool

import (
	"strings"
	"testing"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// long is more than a condition may hold, as a proxy's page or an overlay with a hundred faults is.
var long = strings.Repeat("Wörter ", 6000)

func TestPoolSaysInItsStatusWhatTheServerTakes(t *testing.T) {
	p := &v1alpha1.NomadNodePool{}
	p.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: v1alpha1.AutoscalerFieldManager + "/" + long, FieldsV1: metav1.NewFieldsV1(`{"f:spec":{"f:replicas":{}}}`)}}
	s := &scope{pool: p, scale: lastScale(p, now)}
	s.snapshot = pool.Snapshot{Now: now, NomadReason: v1alpha1.ReasonUnreachable, NomadMessage: long}
	setStatus(s, pool.Plan{})
	if !strings.Contains(p.Status.LastScale.Reason, "Wörter") {
		t.Errorf("the reason is %.100q", p.Status.LastScale.Reason)
	}
	for _, c := range p.Status.Conditions {
		fits(t, c.Type, c.Message, kube.MaxMessage)
	}
	fits(t, "the reason of the last scaling", p.Status.LastScale.Reason, kube.MaxNote)
	if c := p.Status.Conditions; len(c) != len(v1alpha1.PoolConditions) {
		t.Errorf("%d conditions", len(c))
	}
}

func fits(t *testing.T, what, text string, limit int) {
	t.Helper()
	if len(text) > limit || !utf8.ValidString(text) {
		t.Errorf("%s has %d bytes, valid: %t", what, len(text), utf8.ValidString(text))
	}
}
