package member_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// While its pool doesn't judge whether a member joins, and before the time that begins anew after that is over, the
// member doesn't say that it should have joined.
func TestTimeToJoinBeginsAnewWithThePools(t *testing.T) {
	suspended := func(o *nodestate.State) { o.Suspended = true }
	resumed := func(ago time.Duration) change {
		return func(o *nodestate.State) { o.Resumed = o.Now.Add(-ago) }
	}
	late := later(time.Hour)
	for name, c := range map[string]struct {
		o       nodestate.State
		expired bool
		until   time.Time // zero: it isn't said
		wake    time.Duration
	}{
		"never suspended":       {o: booting(late), expired: true, wake: 15 * time.Second},
		"suspended":             {o: booting(late, suspended), wake: 15 * time.Second},
		"suspended before":      {o: booting(late, suspended, resumed(time.Hour)), wake: 15 * time.Second},
		"over a moment ago":     {o: booting(late, resumed(0)), until: now.Add(70 * time.Minute), wake: 9*time.Minute + 30*time.Second},
		"over nearly as long":   {o: booting(late, resumed(10*time.Minute-time.Second)), until: now.Add(time.Hour + time.Second), wake: time.Second},
		"over for all its time": {o: booting(late, resumed(10*time.Minute)), expired: true, wake: 15 * time.Second},
		"over before it was made": {o: booting(func(o *nodestate.State) { o.Resumed = now.Add(-2 * time.Minute) }),
			until: now.Add(9 * time.Minute), wake: 8*time.Minute + 30*time.Second},
	} {
		d := decide(c.o)
		joined := d.Conditions[v1alpha1.NodeJoined]
		if got := joined.Reason == v1alpha1.ReasonJoinTimeout; got != c.expired || d.Wake != c.wake {
			t.Errorf("%s: %+v, wakes in %s", name, joined, d.Wake)
		}
		stamp := c.until.UTC().Format(time.RFC3339)
		if named := strings.Contains(joined.Message, "until 20"); named == c.until.IsZero() ||
			named && !strings.Contains(joined.Message, stamp) {
			t.Errorf("%s: %q, not %s", name, joined.Message, stamp)
		}
	}
	for name, o := range map[string]nodestate.State{"joined": steady(late, suspended), "leaves": booting(late, asked),
		"not made": fresh(late)} {
		if member.AwaitsJoin(o) {
			t.Errorf("%s: it awaits to join", name)
		}
	}
}
