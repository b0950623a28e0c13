package nodestate

import (
	"testing"
	"time"
)

func TestWhatIsntShownIsRepeatedAfterLongerAndLongerPauses(t *testing.T) {
	now := time.Date(2026, 11, 30, 9, 0, 0, 0, time.UTC)
	var a Accepted
	if left := a.RepeatIn(now); left != 0 {
		t.Errorf("what was never accepted waits %s", left)
	}
	for i, want := range []time.Duration{1, 1, 2, 4, 8, 15, 15} {
		a = a.At(now)
		if left := a.RepeatIn(now); left != want*time.Second {
			t.Errorf("request %d waits %s", i+2, left)
		}
		now = now.Add(want * time.Second)
		if left := a.RepeatIn(now); left > 0 {
			t.Errorf("request %d waits another %s", i+2, left)
		}
	}
}
