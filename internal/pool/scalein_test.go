package pool_test

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func strategy(st v1alpha1.ScaleInStrategy, usage map[string]pool.Usage) func(*pool.Snapshot) {
	return func(s *pool.Snapshot) { s.ScaleIn.Strategy, s.Usage = st, usage }
}

func TestStrategies(t *testing.T) {
	s := func() pool.Snapshot {
		return snapshot(1, member("a", index(30)), member("b", index(10)), member("c", index(20)))
	}
	usage := map[string]pool.Usage{
		"a": {Load: 0.5, Allocations: 3, System: 1}, "b": {Load: 0.9, Allocations: 1, System: 1}, "c": {Load: 0.1},
	}
	retry := 10 * time.Second
	runPlans(t, []planCase{
		{name: "least busy", s: s(), change: strategy(v1alpha1.LeastBusy, usage), victims: []string{"c", "a"}},
		{name: "unset is least busy", s: s(), change: strategy("", usage), victims: []string{"c", "a"}},
		{name: "equally busy: the newest", s: s(), change: strategy(v1alpha1.LeastBusy, map[string]pool.Usage{}),
			victims: []string{"a", "c"}},
		{name: "newest", s: s(), change: strategy(v1alpha1.NewestCreateIndex, nil), victims: []string{"a", "c"}},
		{name: "oldest", s: s(), change: strategy(v1alpha1.OldestCreateIndex, nil), victims: []string{"b", "c"}},
		{name: "empty", s: s(), change: strategy(v1alpha1.Empty, usage), victims: []string{"c"},
			scaleInBlocked: v1alpha1.ReasonWaitingForAllocations, wake: retry},
		{name: "empty but for system jobs", s: s(), change: strategy(v1alpha1.EmptyIgnoreSystem, usage),
			victims: []string{"c", "b"}},
		{name: "not known to be empty", s: s(), change: strategy(v1alpha1.Empty, nil),
			scaleInBlocked: v1alpha1.ReasonWaitingForAllocations, wake: retry},
	})
}

// Each leaves before the ones after it, whatever the strategy makes of them.
func TestVictimsAreInATotalOrder(t *testing.T) {
	order := []pool.Member{
		member("asked-for", deleteNext, index(1)),
		member("late", late, age(time.Hour)),
		member("joining-young", joining, age(time.Minute)),
		member("joining-old", joining, age(2*time.Minute)),
		member("broken", notReady, index(1)),
		member("outdated", outdated, index(1)),
		member("newest", index(9)),
		member("b-same", index(5)),
		member("c-same", index(5)),
	}
	var want, backwards []string
	s := snapshot(0)
	s.ScaleIn.Strategy = v1alpha1.NewestCreateIndex
	for i := range order {
		want = append(want, order[i].Name)
		backwards = append(backwards, order[len(order)-1-i].Name)
		s.Members = append(s.Members, order[len(order)-1-i])
	}
	for n := range order {
		s.Replicas = len(order) - n
		runPlans(t, []planCase{{name: "surplus of " + backwards[n], s: s, victims: want[:n]}})
	}
}

func TestAnnotationsAreObeyed(t *testing.T) {
	busy := map[string]pool.Usage{"a": {Allocations: 1}, "b": {Allocations: 1}}
	runPlans(t, []planCase{
		{name: "protected is never chosen", s: snapshot(1, member("a", protected, notReady), member("b")),
			victims: []string{"b"}},
		{name: "too few left", s: snapshot(0, member("a", protected), member("b")), victims: []string{"b"},
			scaleInBlocked: v1alpha1.ReasonAllProtected, wake: 10 * time.Second},
		{name: "all protected", s: snapshot(0, member("a", protected)), scaleInBlocked: v1alpha1.ReasonAllProtected,
			wake: 10 * time.Second},
		{name: "protected outranks delete-next", s: snapshot(1, member("a", protected, deleteNext), member("b")),
			victims: []string{"b"}},
		{name: "delete-next outranks the strategy", s: snapshot(1, member("a"), member("b", deleteNext)),
			change: strategy(v1alpha1.Empty, busy), victims: []string{"b"}},
		{name: "one that comes back isn't chosen", s: snapshot(1, member("a", notReady, canceling), member("b")),
			victims: []string{"b"}},
		{name: "nobody else: it is waited for", s: snapshot(0, member("a", notReady, canceling), member("b")),
			victims: []string{"b"}, scaleInBlocked: v1alpha1.ReasonDraining, wake: 10 * time.Second},
		{name: "nor if it was asked for by name: that goes with the drain request",
			s: snapshot(1, member("a", notReady, canceling, deleteNext), member("b")), victims: []string{"b"}},
	})
}

// A member that isn't ready may have work all the same: an operator made its node ineligible, say.
func TestEmptyIsAskedOfWhoeverMayHaveWork(t *testing.T) {
	busy := map[string]pool.Usage{"a": {Allocations: 1}, "b": {Allocations: 1}}
	tooFew := v1alpha1.ReasonWaitingForAllocations
	justRecovered := func(s *pool.Snapshot) { s.NomadRecovered = now.Add(-time.Second) }
	with := func(changes ...func(*pool.Snapshot)) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) {
			for _, c := range changes {
				c(s)
			}
		}
	}
	runPlans(t, []planCase{
		{name: "ineligible and busy", s: snapshot(1, member("a", notReady), member("b")),
			change: strategy(v1alpha1.Empty, busy), scaleInBlocked: tooFew, wake: 10 * time.Second},
		{name: "ineligible and empty", s: snapshot(1, member("a", notReady), member("b")),
			change: strategy(v1alpha1.Empty, map[string]pool.Usage{"a": {}, "b": {}}), victims: []string{"a"}},
		{name: "unknown to Nomad", s: snapshot(1, member("a", notReady), member("b")), change: strategy(v1alpha1.Empty, nil),
			scaleInBlocked: tooFew, wake: 10 * time.Second},
		{name: "down", s: snapshot(1, member("a", down), member("b")), change: strategy(v1alpha1.Empty, busy),
			victims: []string{"a"}},
		{name: "down in the eyes of a Nomad that has just come back", s: snapshot(1, member("a", down), member("b")),
			change: with(strategy(v1alpha1.Empty, busy), justRecovered), scaleInBlocked: tooFew, wake: 10 * time.Second},
		{name: "down in the eyes of its own Nomad, which has just come back",
			s:      snapshot(1, member("a", down, awaySince(time.Second)), member("b")),
			change: strategy(v1alpha1.Empty, busy), scaleInBlocked: tooFew, wake: 10 * time.Second},
		{name: "never joined", s: snapshot(1, member("a", joining), member("b")), change: strategy(v1alpha1.Empty, busy),
			victims: []string{"a"}},
		{name: "another strategy", s: snapshot(1, member("a", notReady, index(1)), member("b")),
			change: strategy(v1alpha1.NewestCreateIndex, nil), victims: []string{"a"}},
		{name: "another strategy, Nomad has just come back", s: snapshot(1, member("a", notReady, index(1)), member("b")),
			change: with(strategy(v1alpha1.NewestCreateIndex, nil), justRecovered), victims: []string{"b"}},
	})
}

func TestScaleInIsBlocked(t *testing.T) {
	scaled := func(ago time.Duration) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) {
			s.ScaleIn.StabilizationWindow, s.LastScale = window(time.Minute), now.Add(-ago)
		}
	}
	two := func() pool.Snapshot { return snapshot(1, member("a"), member("b")) }
	runPlans(t, []planCase{
		{name: "paused", s: two(), change: paused, scaleInBlocked: v1alpha1.ReasonPaused},
		{name: "deleting: ownership does it", s: two(), change: deleting},
		{name: "Nomad unknown", s: two(), change: nomadUnknown, scaleInBlocked: v1alpha1.ReasonNomadUnknown,
			wake: 15 * time.Second},
		{name: "the Nomad of one hasn't been asked since the start", s: snapshot(1, member("a"), member("b", notAsked)),
			scaleInBlocked: v1alpha1.ReasonNomadUnknown},
		{name: "stabilizing", s: two(), change: scaled(20 * time.Second), scaleInBlocked: v1alpha1.ReasonStabilizationWindow,
			wake: 40 * time.Second},
		{name: "stable", s: two(), change: scaled(time.Minute), victims: []string{"a"}},
		{name: "a change, but no window", s: two(), change: func(s *pool.Snapshot) { s.LastScale = now },
			victims: []string{"a"}},
		{name: "a window but no change ever", s: two(),
			change: func(s *pool.Snapshot) { s.ScaleIn.StabilizationWindow = window(time.Minute) }, victims: []string{"a"}},
		{name: "stabilizing doesn't block growth", s: snapshot(1), change: scaled(0), create: 1},
	})
}

func TestMaxConcurrent(t *testing.T) {
	limit := func(n int32) func(*pool.Snapshot) {
		return func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = ptr(n) }
	}
	limited := v1alpha1.ReasonMaxConcurrent
	runPlans(t, []planCase{
		{name: "no limit", s: snapshot(0, some(3, "a")...), victims: []string{"a0", "a1", "a2"}},
		{name: "limit", s: snapshot(0, some(3, "a")...), change: limit(2), victims: []string{"a0", "a1"},
			scaleInBlocked: limited},
		{name: "one whose VM doesn't go takes nobody's turn",
			s: snapshot(0, all(some(3, "a"), some(1, "z", leaving(time.Hour), stuck))...), change: limit(2),
			victims: []string{"a0", "a1"}, scaleInBlocked: limited},
		{name: "limit just enough", s: snapshot(1, some(3, "a")...), change: limit(2), victims: []string{"a0", "a1"}},
		{name: "one leaves already", s: snapshot(0, all(some(3, "a"), some(1, "z", leaving(time.Minute)))...),
			change: limit(2), victims: []string{"a0"}, scaleInBlocked: limited},
		{name: "as many as may leave already", s: snapshot(0, all(some(3, "a"), some(2, "z", leaving(time.Minute)))...),
			change: limit(2), scaleInBlocked: limited},
		{name: "as many as may leave already, and nobody was asked if they are empty",
			s:      snapshot(0, all(some(3, "a"), some(2, "z", leaving(time.Minute)))...),
			change: func(s *pool.Snapshot) { limit(2)(s); s.ScaleIn.Strategy = v1alpha1.Empty }, scaleInBlocked: limited},
		{name: "more leave than may, the limit was lowered",
			s: snapshot(0, all(some(3, "a"), some(5, "z", leaving(time.Minute)))...), change: limit(2), scaleInBlocked: limited},
		{name: "protection bounds as tightly: it is what a person can lift",
			s: snapshot(0, all(some(2, "a", protected), some(1, "b"))...), change: limit(1), victims: []string{"b0"},
			scaleInBlocked: v1alpha1.ReasonAllProtected, wake: 10 * time.Second},
		{name: "protection is the tighter bound", s: snapshot(0, all(some(2, "a", protected), some(1, "b"))...),
			change: limit(2), victims: []string{"b0"}, scaleInBlocked: v1alpha1.ReasonAllProtected, wake: 10 * time.Second},
	})
}

func TestUsageIsAskedForOnlyWhenMembersAreChosen(t *testing.T) {
	surplus := func() pool.Snapshot { return snapshot(1, member("a"), member("b")) }
	for _, c := range []struct {
		name   string
		s      pool.Snapshot
		change func(*pool.Snapshot)
		want   bool
	}{
		{"surplus", surplus(), nil, true},
		{"as wanted", snapshot(2, member("a"), member("b")), nil, false},
		{"missing", snapshot(3, member("a")), nil, false},
		{"asked already", surplus(), strategy(v1alpha1.LeastBusy, map[string]pool.Usage{}), false},
		{"by index", surplus(), strategy(v1alpha1.NewestCreateIndex, nil), false},
		{"by index, oldest", surplus(), strategy(v1alpha1.OldestCreateIndex, nil), false},
		{"empty", surplus(), strategy(v1alpha1.Empty, nil), true},
		{"paused", surplus(), paused, false},
		{"deleting", surplus(), deleting, false},
		{"Nomad unknown", surplus(), nomadUnknown, false},
		{"the Nomad of one hasn't been asked since the start", snapshot(1, member("a"), member("b", notAsked)), nil, false},
		{"that of one that leaves hasn't", snapshot(1, member("a"), member("b"), member("c", notAsked, leaving(0))), nil,
			true},
		{"stabilizing", surplus(), func(s *pool.Snapshot) {
			s.ScaleIn.StabilizationWindow, s.LastScale = window(time.Minute),
				now
		}, false},
		{"nobody more may leave", snapshot(0, member("a"), member("b", leaving(0))),
			func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = ptr(int32(1)) }, false},
	} {
		if c.change != nil {
			c.change(&c.s)
		}
		if got := pool.NeedsUsage(c.s); got != c.want {
			t.Errorf("%s: got %t, want %t", c.name, got, c.want)
		}
	}
}

func TestOrderDependsOnTheMemberBeingEmpty(t *testing.T) {
	for _, c := range []struct {
		name     string
		strategy v1alpha1.ScaleInStrategy
		m        pool.Member
		want     v1alpha1.ScaleInStrategy
	}{
		{"ready", v1alpha1.Empty, member("a"), v1alpha1.Empty},
		{"but for system jobs", v1alpha1.EmptyIgnoreSystem, member("a"), v1alpha1.EmptyIgnoreSystem},
		{"not ready", v1alpha1.Empty, member("a", notReady), v1alpha1.Empty},
		{"down", v1alpha1.Empty, member("a", down), ""},
		{"never joined", v1alpha1.Empty, member("a", joining), ""},
		{"asked for by name", v1alpha1.Empty, member("a", deleteNext), ""},
		{"another strategy", v1alpha1.LeastBusy, member("a"), ""},
	} {
		s := snapshot(0, c.m)
		s.ScaleIn.Strategy = c.strategy
		if got := pool.OnlyIf(s, "a"); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}
