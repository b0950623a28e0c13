package pool

import (
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A node that an old view shows doesn't prove that the address leads to the member's cluster.
func TestOldViewOfANomadProvesNothing(t *testing.T) {
	for state, follows := range map[nomad.HealthState]bool{nomad.HealthReachable: true, nomad.HealthUnreachable: false} {
		s := moved(true, asIs)
		s.nomad.view.Health = nomad.Health{State: state, Cause: "No answer."}
		if p, n := s.reconcile(t); (n.Spec.Nomad.Address == p.Spec.Nomad.Address) != follows {
			t.Errorf("%s: its address is %s", state, n.Spec.Nomad.Address)
		}
	}
}

// Nobody is chosen while Nomad doesn't tell how busy the members are, and the pool says so. One question without an
// answer says nothing else of Nomad.
func TestNobodyIsChosenWithoutKnowingWhoIsBusy(t *testing.T) {
	for _, strategy := range []v1alpha1.ScaleInStrategy{v1alpha1.Empty, v1alpha1.LeastBusy} {
		s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
			scaledToNone(p, n)
			p.Spec.ScaleIn.Strategy = strategy
		})
		s.nomad.mute = nomad.ErrUnreachable
		p, n := s.reconcile(t)
		explained := slices.ContainsFunc(p.Status.Conditions, func(c metav1.Condition) bool {
			return strings.Contains(c.Message, "Nobody leaves while Nomad can't be asked: Nomad doesn't tell how busy the members are")
		})
		if n.Spec.Drain != nil || !explained || !isTrue(p, v1alpha1.PoolNomadReachable) {
			t.Errorf("%s: %+v, %+v", strategy, n.Spec.Drain, p.Status.Conditions)
		}
		s.nomad.mute = nil
		if _, n := s.reconcile(t); n.Spec.Drain == nil {
			t.Errorf("%s: it doesn't leave once that is known", strategy)
		}
	}
}

// While the Harvester template of a pool can't be read no member is outdated.
func TestTemplateThatCantBeReadOutdatesNobody(t *testing.T) {
	s := newFixture(func(p *v1alpha1.NomadNodePool, n *v1alpha1.NomadNode) {
		p.Spec.Template.From = &v1alpha1.TemplateSource{Kind: v1alpha1.KindTemplate, Name: "ns/gone"}
		p.Status.Revision, n.Spec.Revision = "of-the-template", "of-the-template"
	})
	p, n := s.reconcile(t)
	if p.Status.Revision != "of-the-template" || p.Status.UpdatedReplicas != 1 || n.Spec.Drain != nil {
		t.Errorf("of revision %q %d members are up to date, and the drain request is %+v", p.Status.Revision,
			p.Status.UpdatedReplicas, n.Spec.Drain)
	}
}

// A host in maintenance is found by its annotation. One that is gone is in none.
func TestHostsInMaintenanceAreSeen(t *testing.T) {
	host := func(name string, annotations map[string]string) *corev1.Node {
		return &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: annotations}}
	}
	live := fake.NewClientBuilder().WithObjects(host("works", nil),
		host("runs", map[string]string{maintainAnnotation: "running"}),
		host("is over", map[string]string{maintainAnnotation: "completed"})).Build()
	for name, want := range map[string]bool{"works": false, "runs": true, "is over": true, "gone": false} {
		if got, err := maintained(t.Context(), live, name); err != nil || got != want {
			t.Errorf("%s: %t, %v", name, got, err)
		}
	}
}

// What becomes wrong for another reason is reported once more.
func TestAnotherReasonIsReported(t *testing.T) {
	pool := func(status metav1.ConditionStatus, reason, message string) *v1alpha1.NomadNodePool {
		p := &v1alpha1.NomadNodePool{}
		if status != "" {
			p.Status.Conditions = []metav1.Condition{{Type: "T", Status: status, Reason: reason, Message: message}}
		}
		return p
	}
	bad := pool(metav1.ConditionFalse, "A", "m")
	for name, c := range map[string]struct {
		before, after *v1alpha1.NomadNodePool
		want          bool
	}{
		"the first time":      {pool("", "", ""), bad, true},
		"it was right":        {pool(metav1.ConditionTrue, "A", "m"), bad, true},
		"the same":            {bad, bad, false},
		"other words":         {pool(metav1.ConditionFalse, "A", "n"), bad, false},
		"another reason":      {pool(metav1.ConditionFalse, "B", "m"), bad, true},
		"it is right by now":  {bad, pool(metav1.ConditionTrue, "A", "m"), false},
		"it isn't known":      {bad, pool(metav1.ConditionUnknown, "A", "m"), false},
		"nobody speaks of it": {bad, pool("", "", ""), false},
	} {
		if _, got := becameFalse(c.before, c.after, "T"); got != c.want {
			t.Errorf("%s: anew is %t", name, got)
		}
	}
}
