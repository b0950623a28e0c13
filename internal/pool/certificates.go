package pool

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// certificateNotice is how long before a member's certificate ends the pool says so; of one that was given for less
// than thrice that, a third of the time is enough.
const certificateNotice = 7 * 24 * time.Hour

// expiresIn returns how long it takes until it is to be said that a member's certificate ends; ok is false if it was
// given none.
func (s *Snapshot) expiresIn(m *Member) (left time.Duration, ok bool) {
	if m.CertificateEnd.IsZero() {
		return 0, false
	}
	notice := min(certificateNotice, max(m.CertificateEnd.Sub(m.Created)/3, 0))
	return m.CertificateEnd.Add(-notice).Sub(s.Now), true
}

// goesBefore reports whether a member is replaced for its age before its certificate ends, with a fifth of its life to
// spare: nobody has to be told.
func (s *Snapshot) goesBefore(m *Member) bool {
	r, life := s.Rollout, m.CertificateEnd.Sub(m.Created)
	return r.MaxAge != nil && r.Type != v1alpha1.OnDelete && !m.Protected &&
		r.MaxAge.Duration <= life-life/6 // a maxAge of 250 years times 6 would overflow
}

// addToExpiring puts an active member whose certificate ends soon into its subset. Members made at the same time were
// given the same one: when it ends all are down at once, and then none of them is replaced.
func (x *index) addToExpiring(m *Member) {
	switch left, ok := x.expiresIn(m); {
	case !ok, x.goesBefore(m):
	case left <= 0:
		x.expiring = append(x.expiring, m)
	default:
		x.nextExpiring = nodestate.Sooner(x.nextExpiring, left)
	}
}

func firstToExpire(a, b *Member) int {
	if c := a.CertificateEnd.Compare(b.CertificateEnd); c != 0 {
		return c
	}
	return byName(a, b)
}

func certificateExpires(first *Member) metav1.Condition {
	return condition.False(v1alpha1.ReasonCertificateExpires,
		"The client certificate that members were given ends soon: that of "+first.Name+" at "+
			first.CertificateEnd.UTC().Format(time.RFC3339)+". Without one a member can't reach Nomad, and if all are down "+
			"none is replaced. Put a new one into the Secret of spec.nomad.clientTLSSecretRef, then set "+
			"spec.rollout.restartedAt to have the members replaced. With a spec.rollout.maxAge below the lifetime of "+
			"certificates that goes by itself.")
}
