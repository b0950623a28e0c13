package pool_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// given is a member that was made an hour ago with a certificate that has so much left.
func given(left time.Duration) memberChange {
	return func(m *pool.Member) { m.CertificateEnd = now.Add(left) }
}

func TestEndOfCertificatesIsSaidInTime(t *testing.T) {
	const day = 24 * time.Hour
	old := func(m *pool.Member) { m.Created = now.Add(-30 * day) }
	restarted := func(s *pool.Snapshot) {
		s.Rollout = v1alpha1.RolloutSpec{Type: v1alpha1.RollingUpdate, RestartedAt: &metav1.Time{Time: now}}
	}
	// ofMonth was given a certificate for 30 days when it was made.
	ofMonth := func(m *pool.Member) { m.Created = now.Add(-24 * day) }
	aging := func(kind v1alpha1.RolloutType, most time.Duration) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.Rollout = v1alpha1.RolloutSpec{Type: kind, MaxAge: window(most)} }
	}
	for name, c := range map[string]struct {
		members []pool.Member
		change  func(*pool.Snapshot)
		want    string
		wake    time.Duration
	}{
		"none given":            {[]pool.Member{member("a")}, nil, "", 0},
		"a week and a second":   {[]pool.Member{member("a", old, given(7*day+time.Second))}, nil, "", time.Second},
		"a week":                {[]pool.Member{member("a", old, given(7*day))}, nil, "that of a at 2026-03-08T12:00:00Z", 0},
		"the first of two":      {[]pool.Member{member("a", old, given(2*day)), member("b", old, given(day))}, nil, "that of b at", 0},
		"of a short life":       {[]pool.Member{member("a", given(2*time.Hour))}, nil, "", time.Hour},
		"of a short life, soon": {[]pool.Member{member("a", given(30*time.Minute))}, nil, "that of a at", 0},
		"it has ended":          {[]pool.Member{member("a", old, given(-day))}, nil, "that of a at 2026-02-28", 0},
		"who leaves":            {[]pool.Member{member("a", old, given(day), func(m *pool.Member) { m.Leaving = true })}, nil, "", 0},
		"replaced for its age before, with a fifth to spare": {[]pool.Member{member("a", ofMonth, given(6*day))},
			aging(v1alpha1.RollingUpdate, 25*day), "", 0},
		"replaced for its age before, and with less to spare": {[]pool.Member{member("a", ofMonth, given(6*day))},
			aging(v1alpha1.RollingUpdate, 25*day+time.Second), "that of a at", 0},
		"replaced for its age, if somebody deletes it": {[]pool.Member{member("a", ofMonth, given(6*day))},
			aging(v1alpha1.OnDelete, 25*day), "that of a at", 0},
		"replaced for its age, if it weren't protected": {[]pool.Member{member("a", ofMonth, given(6*day), protected)},
			aging(v1alpha1.RollingUpdate, 25*day), "that of a at", 0},
		"replaced for its age, in 250 years": {[]pool.Member{member("a", ofMonth, given(6*day))},
			aging(v1alpha1.RollingUpdate, 250*365*day), "that of a at", 0},
		"being replaced": {[]pool.Member{member("a", old, given(day))}, restarted, "", 0},
	} {
		s := snapshot(len(c.members), c.members...)
		if c.change != nil {
			c.change(&s)
		}
		p := pool.Decide(s)
		is := pool.Conditions(s, p, pool.Outcome{})[v1alpha1.PoolUpToDate]
		if got := is.Reason == v1alpha1.ReasonCertificateExpires; got != (c.want != "") || !strings.Contains(is.Message, c.want) {
			t.Errorf("%s: %+v", name, is)
		}
		if c.wake != 0 && p.Wake != c.wake {
			t.Errorf("%s: looks again in %s, want %s", name, p.Wake, c.wake)
		}
	}
}

func TestCertificateIsThatOfTheMember(t *testing.T) {
	s := nodestate.State{Now: now, Node: nodestate.Node{CertificateEnd: now.Add(time.Hour)}}
	if m := pool.MemberOf(s); !m.CertificateEnd.Equal(now.Add(time.Hour)) {
		t.Errorf("%+v", m)
	}
}
