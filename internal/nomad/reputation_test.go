package nomad

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

// A slow server is slow for whoever comes with another token as well, for as long as it is for the one who has found it,
// and whatever it answers to a third one.
func TestServerIsSlowForTheNextTokenToo(t *testing.T) {
	began := time.Unix(1e9, 0)
	clock, all := clocktesting.NewFakePassiveClock(began), newShared()
	first, friend := newGate(clock, all, "a"), newGate(clock, all, "a")
	_, end := entered(t, first)
	clock.SetTime(began.Add(promptly + time.Second))
	end(nil)
	for name, c := range map[string]struct {
		address string
		after   time.Duration
		want    bool
	}{
		"another token":             {"a", 0, true},
		"and nearly a minute on":    {"a", slowFor - time.Second, true},
		"and after that":            {"a", slowFor + time.Second, false},
		"the server of a neighbour": {"b", 0, false},
	} {
		clock.SetTime(began.Add(promptly + time.Second))
		_, end := entered(t, friend)
		end(nil)
		clock.SetTime(clock.Now().Add(c.after))
		if got := newGate(clock, all, c.address).slow(); got != c.want {
			t.Errorf("%s: slow is %v", name, got)
		}
	}
	all.reputations.note("c", reputation{slowUntil: clock.Now().Add(2 * slowFor)}, clock.Now().Add(slowFor*3/2))
	if n := len(all.reputations.by); n != 1 {
		t.Errorf("%d are kept", n)
	}
}
