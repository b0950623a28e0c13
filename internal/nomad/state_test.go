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
