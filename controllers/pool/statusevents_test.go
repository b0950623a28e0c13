package pool

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// emitted returns the Events that have been emitted.
func (s *fixture) emitted() string {
	var out []string
	for len(s.events.Events) > 0 {
		out = append(out, <-s.events.Events)
	}
	return strings.Join(out, "\n")
}

// A pool whose template is refused warns of it, once.
func TestRefusedTemplateIsReportedOnce(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.Replicas = ptr.To[int32](2)
		p.Spec.Template.CloudInit = v1alpha1.CloudInit{UserData: "hostname: x"}
	})
	for range 2 {
		s.reconcile(t)
	}
	if emitted := s.emitted(); strings.Count(emitted,
		"Warning MembersBlocked No member can be made of the present template: spec.template") != 1 {
		t.Errorf("emitted %q", emitted)
	}
	s.reconcile(t)
	if emitted := s.emitted(); emitted != "" {
		t.Errorf("emitted again %q", emitted)
	}
}

// A pool emits an Event when Nomad can't be asked, and when it can be again. If Nomad always answered it emits none.
func TestNomadLostAndBackAreReported(t *testing.T) {
	s := newFixture(func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	for _, step := range []struct {
		state nomad.HealthState
		event string
	}{
		{nomad.HealthReachable, ""},
		{nomad.HealthUnreachable, "Warning NomadUnreachable Nomad at http://127.0.0.1:4646 can't be asked"},
		{nomad.HealthUnreachable, ""}, {nomad.HealthReachable, "Normal NomadReachableAgain Nomad can be asked again"},
		{nomad.HealthReachable, ""},
	} {
		s.nomad.view.Health = nomad.Health{State: step.state, Cause: "connection refused"}
		s.reconcile(t)
		if emitted := s.emitted(); !strings.Contains(emitted, step.event) || step.event == "" &&
			strings.Contains(emitted, "Nomad") {
			t.Errorf("%s: emitted %q, want %q", step.state, emitted, step.event)
		}
	}
}
