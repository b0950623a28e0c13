package nomad

import (
	"errors"
	"testing"
	"time"
)

// A token that is found good before the nodes were listed doesn't make an empty view a healthy one.
func TestHealthIsNotKnownBeforeTheFirstList(t *testing.T) {
	at := time.Unix(1, 0)
	connecting, good := Health{State: HealthUnreachable}, Health{State: HealthReachable}
	s := newState(connecting)
	if changed := s.judged(good, at); changed || s.view().Health != connecting {
		t.Errorf("without a list the health is %+v", s.view().Health)
	}
	if s.listFailed(errors.New("connection refused"), at); s.view().Health.OK() {
		t.Error("healthy without a list")
	}
	if _, changed := s.listed(nil, at); !changed || !s.view().Health.OK() {
		t.Errorf("after the first list the health is %+v", s.view().Health)
	}
}

// While nothing has been listed, that nothing is known of the token says less than the list is about to: that Nomad
// can't be asked at all. A refusal by the list is about the token.
func TestFirstListSaysIfNomadAnswers(t *testing.T) {
	at, away, opaque := time.Unix(0, 0), errors.New("away"), Health{State: HealthTokenUnverifiable, Cause: "no answer"}
	for name, c := range map[string]struct {
		then func(*state)
		want HealthState
	}{
		"nothing listed": {func(*state) {}, HealthUnknown},
		"not answered":   {func(s *state) { s.listFailed(away, at) }, HealthUnreachable},
		"refused":        {func(s *state) { s.listFailed(ErrForbidden, at) }, HealthTokenUnverifiable},
		"listed":         {func(s *state) { s.listed(nil, at) }, HealthTokenUnverifiable},
	} {
		s := newState(Health{State: HealthUnknown})
		s.judged(opaque, at)
		if c.then(s); s.view().Health.State != c.want {
			t.Errorf("%s: got %s", name, s.view().Health)
		}
	}
}
