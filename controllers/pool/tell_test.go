package pool

import (
	"strings"
	"testing"

	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// told is what Events have been sent.
func (s *poolShell) told() string {
	var out []string
	for len(s.events.Events) > 0 {
		out = append(out, <-s.events.Events)
	}
	return strings.Join(out, "\n")
}

// A pool whose template is refused warns of it, once.
func TestRefusedTemplateIsToldOnce(t *testing.T) {
	s := newPoolShell(func(p *v1alpha1.NomadNodePool, _ *v1alpha1.NomadNode) {
		p.Spec.Replicas = ptr.To[int32](2)
		p.Spec.Template.CloudInit = v1alpha1.CloudInit{UserData: "hostname: x"}
	})
	for range 2 {
		s.reconcile(t)
	}
	if told := s.told(); strings.Count(told,
		"Warning MembersBlocked No member can be made of the present template: spec.template") != 1 {
		t.Errorf("told %q", told)
	}
	s.reconcile(t)
	if told := s.told(); told != "" {
		t.Errorf("told again %q", told)
	}
}

// A pool tells that Nomad can't be asked, and that it can be again; of one that always answered it tells nothing.
func TestNomadLostAndBackAreTold(t *testing.T) {
	s := newPoolShell(func(*v1alpha1.NomadNodePool, *v1alpha1.NomadNode) {})
	for _, step := range []struct {
		state nomad.HealthState
		says  string
	}{
		{nomad.HealthReachable, ""}, {nomad.HealthUnreachable, "Warning NomadUnreachable Nomad at http://127.0.0.1:4646 can't be asked"},
		{nomad.HealthUnreachable, ""}, {nomad.HealthReachable, "Normal NomadReachableAgain Nomad can be asked again"}, {nomad.HealthReachable, ""},
	} {
		s.nomad.view.Health = nomad.Health{State: step.state, Cause: "connection refused"}
		s.reconcile(t)
		if told := s.told(); !strings.Contains(told, step.says) || step.says == "" && strings.Contains(told, "Nomad") {
			t.Errorf("%s: told %q, want %q", step.state, told, step.says)
		}
	}
}
