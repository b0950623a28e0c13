package nomad

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var writesNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// drainingUnder is a node that drains with a DrainID, with an hour left.
func drainingUnder(drainID string, change func(*Node)) Node {
	n := Node{
		Draining: true, ForceDeadline: writesNow.Add(time.Hour),
		LastDrain: &Drain{Status: DrainDraining, DrainID: drainID, OnTimeout: TimeoutForce},
	}
	if change != nil {
		change(&n)
	}
	return n
}

func TestDrainToSend(t *testing.T) {
	ended := func(status string) func(*Node) {
		return func(n *Node) { n.Draining, n.ForceDeadline, n.LastDrain.Status = false, time.Time{}, status }
	}
	force := DrainOptions{DrainID: "i", Remaining: 30 * time.Minute}
	retain := DrainOptions{DrainID: "i", Remaining: 30 * time.Minute, NoDeadline: true}
	over := DrainOptions{DrainID: "i", Remaining: -10 * time.Second}
	stops := func(n *Node) { n.ForceDeadline, n.StopsNow = time.Time{}, true }
	endsAt := func(end time.Time) func(*Node) { return func(n *Node) { n.ForceDeadline = end } }
	for name, c := range map[string]struct {
		node Node
		ask  DrainOptions
		sent bool
		want time.Duration // the deadline that is sent
	}{
		"never drained":                 {Node{Eligible: true}, force, true, 30 * time.Minute},
		"never drained, without an end": {Node{Eligible: true}, retain, true, noDeadline},
		"time is over":                  {Node{}, DrainOptions{DrainID: "i", Remaining: -time.Minute}, true, forceNow},
		"drains as asked":               {drainingUnder("i", nil), force, false, 0},
		"drains for somebody else":      {drainingUnder("other", nil), force, true, 30 * time.Minute},
		"no DrainID":                    {drainingUnder("", nil), DrainOptions{Remaining: time.Minute}, true, time.Minute},
		"has drained":                   {drainingUnder("i", ended(DrainComplete)), force, false, 0},
		"has drained, and was opened": {drainingUnder("i", func(n *Node) { ended(DrainComplete)(n); n.Eligible = true }),
			force, true, 30 * time.Minute},
		"was canceled":                {drainingUnder("i", ended(DrainCanceled)), force, true, 30 * time.Minute},
		"is to have no end after all": {drainingUnder("i", nil), retain, true, noDeadline},
		"is to have an end after all": {drainingUnder("i",
			func(n *Node) { n.ForceDeadline, n.LastDrain.OnTimeout = time.Time{}, TimeoutRetain }), force, true,
			30 * time.Minute},
		"time is over for Nomad, too":                 {drainingUnder("i", stops), over, false, 0},
		"time is over, and its clock may be another":  {drainingUnder("i", endsAt(writesNow.Add(-10*time.Second))), over, true, forceNow},
		"time is over, but somebody gave it more":     {drainingUnder("i", endsAt(writesNow.Add(time.Hour))), over, true, forceNow},
		"time is over, but somebody took the end off": {drainingUnder("i", endsAt(time.Time{})), over, true, forceNow},
		"somebody gave it more, which counts later":   {drainingUnder("i", endsAt(writesNow.Add(24*time.Hour))), force, false, 0},
		"system jobs go too, less left": {drainingUnder("i",
			func(n *Node) { n.ForceDeadline, n.LastDrain.IgnoreSystemJobs = writesNow.Add(time.Minute), true }), force, true,
			time.Minute - resendMargin},
		"system jobs were left, and go": {drainingUnder("i",
			func(n *Node) { ended(DrainComplete)(n); n.LastDrain.IgnoreSystemJobs = true }), force, true, 30 * time.Minute},
		"system jobs went, and may stay": {drainingUnder("i", ended(DrainComplete)),
			DrainOptions{DrainID: "i", IgnoreSystemJobs: true}, false, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, sent := DrainToSend(c.node, c.ask, writesNow)
			if sent != c.sent || sent && (got.Deadline() != c.want || got.DrainID != c.ask.DrainID) {
				t.Errorf("sends %+v: %t", got, sent)
			}
		})
	}
}

func TestDrainToResend(t *testing.T) {
	ask := DrainOptions{DrainID: "i", Remaining: 30 * time.Minute}
	over := DrainOptions{DrainID: "i", Remaining: -time.Second}
	for name, c := range map[string]struct {
		node Node
		ask  DrainOptions
		sent bool
		want time.Duration
	}{
		"still drains": {drainingUnder("i", nil), ask, true, 30 * time.Minute},
		"still drains, less is left": {drainingUnder("i",
			func(n *Node) { n.ForceDeadline = writesNow.Add(time.Minute) }), ask, true, time.Minute - resendMargin},
		"complete": {drainingUnder("i",
			func(n *Node) { n.Draining, n.LastDrain.Status = false, DrainComplete }), ask, false, 0},
		"canceled": {drainingUnder("i",
			func(n *Node) { n.Draining, n.LastDrain.Status, n.Eligible = false, DrainCanceled, true }), over, false, 0},
		"never drained":                     {Node{Eligible: true}, over, false, 0},
		"taken over by somebody":            {drainingUnder("other", nil), ask, false, 0},
		"somebody else's, our time is over": {drainingUnder("other", nil), over, true, forceNow},
		"keeps the end that it has in Nomad": {drainingUnder("i", nil),
			DrainOptions{DrainID: "i", Remaining: time.Minute, NoDeadline: true}, true, time.Hour - resendMargin},
		"without an end, as it is in Nomad": {drainingUnder("i", func(n *Node) { n.ForceDeadline = time.Time{} }),
			DrainOptions{DrainID: "i", NoDeadline: true}, true, noDeadline},
		"the end is so near that it is there": {drainingUnder("i",
			func(n *Node) { n.ForceDeadline = writesNow.Add(time.Second) }), ask, true, forceNow},
	} {
		t.Run(name, func(t *testing.T) {
			got, sent := DrainToResend(c.node, c.ask, writesNow)
			if sent != c.sent || sent && got.Deadline() != c.want {
				t.Errorf("sends %+v: %t", got, sent)
			}
		})
	}
}

func TestResendNeverExtendsADrain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(time.Hour)).Draw(t, "left"))
		asked := time.Duration(rapid.Int64Range(-int64(time.Hour), int64(2*time.Hour)).Draw(t, "asked"))
		delay := time.Duration(rapid.Int64Range(0, int64(resendMargin)).Draw(t, "delay"))
		never := rapid.Bool().Draw(t, "never")
		node := drainingUnder("i", func(n *Node) { n.ForceDeadline = writesNow.Add(left) })
		sent, due := DrainToResend(node, DrainOptions{DrainID: "i", Remaining: asked, NoDeadline: never}, writesNow)
		got := sent.Deadline()
		if !due || got == noDeadline || !never && got > max(asked, 0) ||
			got > 0 && writesNow.Add(delay+got).After(node.ForceDeadline) {
			t.Fatalf("asked for %s with %s left, got %s", asked, left, got)
		}
	})
}

func TestWritesThatEndADrain(t *testing.T) {
	for name, c := range map[string]struct {
		node             Node
		cancel, uncordon []NodeWrite
	}{
		"draining":   {Node{Draining: true}, []NodeWrite{WriteCancelDrain}, []NodeWrite{WriteCancelDrain, WriteEligible}},
		"ineligible": {Node{}, nil, []NodeWrite{WriteEligible}},
		"eligible":   {Node{Eligible: true}, nil, []NodeWrite{WriteEligible}},
	} {
		if got := CancelWrites(c.node); !slices.Equal(got, c.cancel) {
			t.Errorf("%s: to cancel %q", name, got)
		}
		if got := UncordonWrites(c.node); !slices.Equal(got, c.uncordon) {
			t.Errorf("%s: to uncordon %q", name, got)
		}
	}
}

// A drain makes the node ineligible. The status must hold that first, so that canceling the drain makes it eligible
// again.
func TestDrainLeavesAnEligibleNodeAloneUnlessThatIsWrittenDown(t *testing.T) {
	for _, n := range []Node{{Eligible: true}, {Eligible: true, LastDrain: &Drain{DrainID: "i", Status: DrainCanceled}}} {
		if _, due := DrainToSend(n, DrainOptions{DrainID: "i", OnlyIneligible: true}, time.Now()); due {
			t.Errorf("%+v is drained", n)
		}
		if _, due := DrainToSend(n, DrainOptions{DrainID: "i"}, time.Now()); !due {
			t.Errorf("%+v isn't drained, though it is written down", n)
		}
	}
	if _, due := DrainToSend(Node{}, DrainOptions{DrainID: "i", OnlyIneligible: true}, time.Now()); !due {
		t.Error("one that an operator made ineligible isn't drained")
	}
}

// Somebody has told Nomad to stop at once what is left. A change of ignoreSystemJobs takes that back.
func TestStopAtOnceIsKept(t *testing.T) {
	n := Node{Draining: true, StopsNow: true, LastDrain: &Drain{Status: DrainDraining, DrainID: "i", OnTimeout: TimeoutForce}}
	d, due := DrainToSend(n, DrainOptions{DrainID: "i", Remaining: 30 * time.Minute, IgnoreSystemJobs: true}, writesNow)
	if !due || d.Deadline() >= 0 {
		t.Errorf("sent: %t, with %s", due, d.Deadline())
	}
	if d, due := DrainToResend(n, DrainOptions{DrainID: "i", Remaining: 30 * time.Minute}, writesNow); !due || d.Deadline() >= 0 {
		t.Errorf("resent: %t, with %s", due, d.Deadline())
	}
}
