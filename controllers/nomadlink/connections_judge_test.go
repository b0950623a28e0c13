package nomadlink

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func TestJudgeTakesOldAnswersForUnknown(t *testing.T) {
	fine := nomad.Health{OK: true, Reason: v1alpha1.ReasonReachable}
	for name, c := range map[string]struct {
		view   nomad.View
		known  bool
		reason string
	}{
		"never asked":         {nomad.View{}, false, v1alpha1.ReasonUnknown},
		"fresh":               {nomad.View{Taken: now.Add(-ViewLimit), Health: fine}, true, v1alpha1.ReasonReachable},
		"old":                 {nomad.View{Taken: now.Add(-ViewLimit - 1), Health: fine}, false, v1alpha1.ReasonUnreachable},
		"fresh but not whole": {nomad.View{Taken: now, Health: nomad.Health{Reason: v1alpha1.ReasonTokenLacksReadJob, Message: "m"}}, false, v1alpha1.ReasonTokenLacksReadJob},
	} {
		t.Run(name, func(t *testing.T) {
			known, reason, message := judge(c.view, now)
			if known != c.known || reason != c.reason || message == "" {
				t.Errorf("got %v, %s, %q", known, reason, message)
			}
		})
	}
}
