package server

import (
	"slices"
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"
)

// A lock is good for twice its TTL since it was renewed last, and kept from others for its delay after that.
func TestLocksEnd(t *testing.T) {
	var l locks
	l.init()
	at := func(seconds int) time.Time { return time.Unix(int64(seconds), 0) }
	variable := &api.Variable{Namespace: "n", Path: "p", Lock: &api.VariableLock{ID: "1", TTL: "10s", LockDelay: "5s"}}
	l.begin(variable, at(0))
	l.begin(variable, at(15)) // acquired again, which renews nothing
	if over := l.over(at(20)); len(over) > 0 || !l.renew("1", at(20)) {
		t.Fatalf("at its end: %q", over)
	}
	if over := l.over(at(41)); len(over) > 0 {
		t.Fatalf("without its delay: %q", over)
	}
	if l.renew("1", at(41)) || l.renew("2", at(41)) {
		t.Error("what is lost or was never there is renewed")
	}
	if over := l.over(at(45)); len(over) > 0 {
		t.Errorf("within its delay: %q", over)
	}
	if over := l.over(at(46)); !slices.Equal(over, []string{"n\x00p"}) || len(l.over(at(47))) > 0 {
		t.Errorf("after its delay: %q", over)
	}
}

func TestALockThatIsReleasedDoesntEnd(t *testing.T) {
	var l locks
	l.init()
	l.begin(&api.Variable{Path: "p", Lock: &api.VariableLock{ID: "1"}}, time.Unix(0, 0))
	l.end("1")
	if over := l.over(time.Unix(1000, 0)); len(over) > 0 || l.renew("1", time.Unix(0, 0)) {
		t.Errorf("it is still there: %q", over)
	}
}
