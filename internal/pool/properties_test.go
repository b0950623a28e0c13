package pool_test

import (
	"fmt"
	"math/rand"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/condition/conditiontest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func flag(t *rapid.T, label string) bool { return rapid.Bool().Draw(t, label) }

func anyMember(t *rapid.T, name string) pool.Member {
	m := pool.Member{
		Name: name, Revision: rapid.SampledFrom([]string{present, former}).Draw(t, "revision"),
		Created: now.Add(-time.Duration(rapid.IntRange(0, 3).Draw(t, "age")) * time.Minute),
		VMMade:  flag(t, "VM made"), Leaving: rapid.IntRange(0, 3).Draw(t, "leaving") == 0,
		DeleteNext: flag(t, "delete next"), Protected: rapid.IntRange(0, 3).Draw(t, "protected") == 0,
		CreateIndex: rapid.Uint64Range(0, 4).Draw(t, "create index"),
	}
	m.Joined = m.VMMade && flag(t, "joined")
	m.Elsewhere = rapid.IntRange(0, 9).Draw(t, "elsewhere") == 0
	m.Ready = m.Joined && flag(t, "ready")
	if rapid.IntRange(0, 19).Draw(t, "its Nomad wasn't asked") == 0 {
		m.NomadUnknown, m.NomadNotAsked, m.Ready = true, true, false
	}
	m.JoinExpired = !m.Joined && m.VMMade && flag(t, "late")
	m.JoinDeadline, m.JoinedAt, m.ReadySince = m.Created.Add(time.Minute), m.Created.Add(
		time.Minute), m.Created.Add(time.Minute)
	m.Halted = rapid.IntRange(0, 9).Draw(t, "halted") == 0
	if m.Joined && flag(t, "unhealthy") { // the status may say so still of one that is back
		m.UnhealthyTime = m.Created
	}
	if m.Leaving {
		m.LeavingReason = rapid.SampledFrom([]v1alpha1.DrainReason{v1alpha1.DrainScaleIn, v1alpha1.DrainRollout,
			v1alpha1.DrainUnhealthy, v1alpha1.DrainJoinTimeout}).
			Draw(t, "reason")
		m.Reclaimable = flag(t, "reclaimable") && !m.NomadUnknown &&
			(m.LeavingReason == v1alpha1.DrainScaleIn || m.LeavingReason == v1alpha1.DrainRollout)
		m.Stuck = rapid.IntRange(0, 5).Draw(t, "stuck") == 0
		m.LeavingSince = now.Add(-time.Duration(rapid.IntRange(0, 2).Draw(t, "leaving for")) * time.Minute)
	}
	m.Down = m.Joined && !m.Ready && !m.NomadUnknown && flag(t, "down")
	m.CancelingDrain = !m.Leaving && m.Joined && !m.Ready && flag(t, "canceling")
	if !m.VMMade && rapid.IntRange(0, 5).Draw(t, "problem") == 0 {
		m.Blocked = blocked(rapid.SampledFrom([]string{
			v1alpha1.ReasonQuotaExceeded, v1alpha1.ReasonIntroductionToken, v1alpha1.ReasonCreateFailed,
			v1alpha1.ReasonVMNameTaken,
		}).Draw(t, "its reason"))
	}
	if m.VMMade && !m.Ready && rapid.IntRange(0, 5).Draw(t, "no capacity") == 0 {
		m.Blocked = &nodestate.Blocked{By: v1alpha1.BlockedByCapacity,
			Problem: condition.Problem{Reason: v1alpha1.ReasonVMUnschedulable, Message: "no capacity"}}
	}
	return m
}

// anyBudget is a number of members, or a share of replicas.
func anyBudget(t *rapid.T, label string) *intstr.IntOrString {
	return ptr(
		intstr.Parse(
			rapid.SampledFrom([]string{"0", "1", "2", "3", "0%", "00%", "10%", "25%", "50%", "100%"}).Draw(t, label)),
	)
}

func anySnapshot(t *rapid.T) pool.Snapshot {
	s := snapshot(rapid.IntRange(0, 12).Draw(t, "replicas"))
	for i := range rapid.IntRange(0, 12).Draw(t, "members") {
		s.Members = append(s.Members, anyMember(t, fmt.Sprint("m", i)))
	}
	s.Paused, s.Deleting = rapid.IntRange(0, 5).Draw(t, "paused") == 0, rapid.IntRange(0, 5).Draw(t, "deleting") == 0
	if rapid.IntRange(0, 3).Draw(t, "Nomad") == 0 {
		nomadUnknown(&s)
	}
	s.ScaleIn.Strategy = rapid.SampledFrom([]v1alpha1.ScaleInStrategy{
		"", v1alpha1.LeastBusy, v1alpha1.NewestCreateIndex, v1alpha1.OldestCreateIndex, v1alpha1.Empty,
		v1alpha1.EmptyIgnoreSystem,
	}).Draw(t, "strategy")
	if flag(t, "limited") {
		s.ScaleIn.MaxConcurrent = ptr(rapid.Int32Range(1, 4).Draw(t, "max concurrent"))
	}
	if flag(t, "window") {
		s.ScaleIn.StabilizationWindow = window(time.Minute)
		s.LastScale = now.Add(-time.Duration(rapid.IntRange(0, 120).Draw(t, "scaled")) * time.Second)
		if flag(t, "went down") {
			s.LastDown = s.LastScale.Add(-time.Duration(rapid.IntRange(0, 120).Draw(t, "down before")) * time.Second)
		}
	}
	if rapid.IntRange(0, 3).Draw(t, "problems") == 0 {
		s.Problems = []condition.Problem{{Reason: v1alpha1.ReasonImageNotFound, Message: "no image"}}
	}
	s.Rollout = v1alpha1.RolloutSpec{
		Type: rapid.SampledFrom([]v1alpha1.RolloutType{"", v1alpha1.RollingUpdate, v1alpha1.OnDelete}).
			Draw(t, "rollout"),
		MaxSurge:        anyBudget(t, "surge"),
		MaxUnavailable:  anyBudget(t, "unavailable"),
		MinReadySeconds: rapid.SampledFrom([]int32{0, 90}).Draw(t, "min ready"),
	}
	if restarted := rapid.IntRange(-1, 4).Draw(t, "restarted"); restarted < 4 {
		s.Rollout.RestartedAt = &metav1.Time{Time: now.Add(-time.Duration(restarted) * time.Minute)}
	}
	if rapid.IntRange(0, 3).Draw(t, "ages") == 0 {
		s.Rollout.MaxAge = window(2 * time.Minute)
	}
	s.Health = v1alpha1.HealthSpec{
		UnhealthyTimeout: metav1.Duration{Duration: time.Minute},
		MaxUnhealthy:     anyBudget(t, "max unhealthy"),
		MaxInFlight:      ptr(rapid.Int32Range(1, 3).Draw(t, "in flight")),
	}
	if rapid.IntRange(0, 3).Draw(t, "recovered") == 0 {
		s.NomadRecovered = now.Add(-time.Duration(rapid.IntRange(0, 90).Draw(t, "recovered for")) * time.Second)
	}
	s.Joins = pool.Joins{Key: "key", Since: now.Add(-time.Hour)}.Update("key", s)
	if pool.NeedsUsage(s) {
		s.Usage = map[string]pool.Usage{}
		for _, m := range s.Members {
			if flag(t, "usage known") {
				n := rapid.IntRange(0, 2).Draw(t, "allocations")
				s.Usage[m.Name] = pool.Usage{Load: float64(n) / 4, Allocations: n, System: rapid.IntRange(0, n).Draw(t, "system")}
			}
		}
	}
	return s
}

// The metric of members adds them up by state.
func TestStatesOfMembersAreDisjointAndComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		c := pool.Count(s)
		if sum := c.Ready + c.Joining + c.Unhealthy + c.Draining; sum != len(s.Members) {
			t.Errorf("%d members, and their states sum to %d: %+v", len(s.Members), sum, c)
		}
		if c.Replicas != len(s.Members)-c.Draining || c.Updated > c.Replicas {
			t.Errorf("of %d members: %+v", len(s.Members), c)
		}
	})
}

func TestPlansAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		p := pool.Decide(s)
		must := func(ok bool, what string) {
			if !ok {
				t.Errorf("%s, but the plan is %+v", what, p)
			}
		}
		byName := map[string]pool.Member{}
		active, leaves := 0, 0
		for _, m := range s.Members {
			byName[m.Name] = m
			switch {
			case !m.Leaving:
				active++
			case !m.Stuck:
				leaves++
			}
		}
		must(p.Wake >= 0, "a wake lies ahead")
		must(!p.Acts() || !s.Paused && !s.Deleting, "a pool that is paused or deleted is left alone")
		must(p.Create >= 0 && active+p.Create+len(p.CancelDrains) <= max(s.Replicas+surge(s), active),
			"no more members than asked for and may surge")
		must(len(p.Victims) <= max(active-s.Replicas, 0), "no fewer members than asked for")
		must(p.Create == 0 || len(s.Problems) == 0, "nothing is made of a template that has problems")
		out := departures(p)
		must(s.NomadKnown || len(out)+len(p.CancelDrains) == 0, "without Nomad nobody is chosen")
		for _, m := range s.Members {
			must(m.Leaving || !m.NomadNotAsked || len(p.Victims)+len(p.Outdated) == 0 && s.Usage == nil,
				"nobody is chosen, and Nomad isn't asked for that, before the Nomad of each member has been asked")
			blocks := !m.Leaving && m.Blocked != nil && m.Revision == s.Revision && m.Blocked.By != v1alpha1.BlockedByName
			must(p.Create == 0 || !blocks, "no more are made of what another can't be made of")
		}
		if c := s.ScaleIn.MaxConcurrent; c != nil {
			must(len(out) == 0 || leaves+len(out) <= int(*c), "maxConcurrent holds")
		}
		if w := s.ScaleIn.StabilizationWindow; w != nil && !s.LastScale.IsZero() && s.Now.Sub(s.LastScale) < w.Duration {
			must(len(p.Victims) == 0, "within the window nobody is one too many")
		}
		if w := s.ScaleIn.StabilizationWindow; w != nil && !s.LastDown.IsZero() && s.Now.Sub(s.LastDown) < w.Duration {
			must(len(p.Outdated) == 0, "within the window of a scale-in nobody is outdated")
		}
		for _, name := range out {
			must(!byName[name].Protected && !byName[name].Leaving, "who is protected stays")
			must(!byName[name].CancelingDrain, "a drain that is being canceled isn't overwritten")
		}
		for _, name := range p.Outdated {
			must(isOutdated(s, byName[name]), "a rollout replaces what is outdated")
		}
		for _, name := range slices.Concat(p.Failed, p.Unhealthy) {
			must(!byName[name].Halted && !byName[name].Ready && !byName[name].NomadUnknown,
				"only what doesn't work is repaired")
		}
		for _, r := range s.Joins.Results {
			must(byName[r.Member].Revision == s.Revision, "how members of another template fare proves nothing")
		}
		if s.Joins.BreakerOpen() {
			must(p.Create == 0 && len(p.Outdated)+len(p.Failed)+len(p.Unhealthy) == 0,
				"nothing is made or replaced while joins fail")
		}
		must(enoughStay(s, p), "a rollout leaves enough that are available")
		for _, v := range p.Victims {
			m := byName[v]
			must(!m.Protected && !m.Leaving, "a victim may leave")
			if u, known := s.Usage[v]; s.ScaleIn.Strategy == v1alpha1.Empty && m.Joined && !m.Down && !m.DeleteNext {
				must(known && u.Allocations == 0, "strategy Empty lets only empty ones leave")
				must(pool.OnlyIf(s, v) == v1alpha1.Empty, "and only if they still are")
			}
		}
		for _, r := range p.CancelDrains {
			must(byName[r].Reclaimable && byName[r].Leaving, "only a member that leaves is reclaimed")
		}
		named := slices.Concat(out, p.CancelDrains, p.Replace)
		must(len(slices.Compact(slices.Sorted(slices.Values(named)))) == len(named), "nobody is named twice")
	})
}

func departures(p pool.Plan) []string {
	return slices.Concat(p.Victims, p.Outdated, p.Failed, p.Unhealthy)
}

// surge is how many members more than replicas there may be.
func surge(s pool.Snapshot) int {
	if !rolls(s) {
		return 0
	}
	beyond, _ := budgets(s)
	return beyond
}

func isOutdated(s pool.Snapshot, m pool.Member) bool {
	if at := s.Rollout.RestartedAt; at != nil && !at.After(s.Now) && m.Created.Before(at.Time) {
		return true
	}
	return m.Revision != s.Revision || m.Elsewhere ||
		s.Rollout.MaxAge != nil && s.Now.Sub(m.Created) >= s.Rollout.MaxAge.Duration
}

// rolls is true while there are members to be replaced by a rollout.
func rolls(s pool.Snapshot) bool {
	return slices.ContainsFunc(s.Members, func(m pool.Member) bool {
		return !m.Leaving && !m.Protected && isOutdated(s, m) && s.Rollout.Type != v1alpha1.OnDelete
	})
}

// budgets are maxSurge, rounded up, and maxUnavailable, rounded down: by one of them at least a rollout must be able
// to move.
func budgets(s pool.Snapshot) (beyond, unavailable int) {
	part := func(v *intstr.IntOrString, up int) int {
		if v.Type == intstr.Int {
			return v.IntValue()
		}
		percent, _ := strconv.Atoi(strings.TrimSuffix(v.StrVal, "%"))
		return (percent*s.Replicas + up) / 100
	}
	beyond, unavailable = part(s.Rollout.MaxSurge, 99), part(s.Rollout.MaxUnavailable, 0)
	if beyond+unavailable == 0 {
		unavailable = 1
	}
	return beyond, unavailable
}

// enoughStay is true if the plan takes no available member for the rollout, or leaves at least replicas -
// maxUnavailable.
func enoughStay(s pool.Snapshot, p pool.Plan) bool {
	taken, stay := 0, 0
	for _, m := range s.Members {
		if m.Leaving || !m.Ready || s.Now.Sub(m.ReadySince) < time.Duration(s.Rollout.MinReadySeconds)*time.Second {
			continue
		}
		if slices.Contains(p.Outdated, m.Name) {
			taken++
		} else {
			stay++
		}
	}
	_, unavailable := budgets(s)
	return taken == 0 || stay >= s.Replicas-unavailable
}

// What isn't done although replicas ask for it is blocked by something that the plan names, or is under way.
func TestPlansAreComplete(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		p := pool.Decide(s)
		active := pool.Count(s).Replicas
		if !s.Deleting && active+p.Create+len(p.CancelDrains) < s.Replicas && p.ScaleOutBlocked == nil {
			t.Errorf("members are missing and nothing says why: %+v", p)
		}
		if !s.Deleting && active-len(p.Victims) > s.Replicas+surge(s) && p.ScaleInBlocked == nil {
			t.Errorf("members should leave and nothing says why they don't: %+v", p)
		}
		if by := p.RolloutBlocked; !s.Deleting && by != nil && byTemplate[by.Reason] &&
			working(s)-len(p.Victims) > s.Replicas &&
			p.ScaleInBlocked == nil {
			t.Errorf("more work than asked for, for as long as the rollout is blocked: %+v", p)
		}
		for _, m := range s.Members {
			if !s.Deleting && failing(s, m) && !slices.Contains(departures(p), m.Name) && p.RepairBlocked == nil &&
				len(p.Failed)+len(p.Unhealthy) == 0 {
				t.Errorf("%s doesn't work and nothing says why it stays: %+v", m.Name, p)
			}
		}
		all := pool.Conditions(s, p, pool.Outcome{})
		conditiontest.Check(t, all)
		if whole(s) && !s.Joins.BreakerOpen() && all[v1alpha1.PoolReady].Reason == v1alpha1.ReasonJoinTimeouts {
			t.Errorf("every member has joined, and it is reported that members don't join: %+v", all[v1alpha1.PoolReady])
		}
		if len(all) != len(v1alpha1.PoolConditions) {
			t.Errorf("%d conditions, want %d", len(all), len(v1alpha1.PoolConditions))
		}
		for _, kind := range v1alpha1.PoolConditions {
			if c := all[kind]; c.Reason == "" || c.Message == "" || c.Status == "" {
				t.Errorf("%s is %+v, which isn't a condition", kind, c)
			}
		}
	})
}

// failing is true for a member that a repair should replace.
func failing(s pool.Snapshot, m pool.Member) bool {
	late := m.JoinExpired ||
		!m.Ready && !m.UnhealthyTime.IsZero() && !s.Now.Before(m.UnhealthyTime.Add(s.Health.UnhealthyTimeout.Duration))
	return late && !m.Leaving && !m.Protected && !m.Halted && !m.CancelingDrain && m.Blocked == nil
}

// whole is true if as many members have joined as are asked for, and none is to be replaced, or leaves because it
// didn't.
func whole(s pool.Snapshot) bool {
	return working(s) >= s.Replicas && !slices.ContainsFunc(s.Members, func(m pool.Member) bool {
		return m.JoinExpired && !m.Leaving || m.Leaving && m.LeavingReason == v1alpha1.DrainJoinTimeout ||
			isOutdated(s, m) && !m.Leaving
	})
}

// byTemplate are the reasons for which a rollout is blocked because of its template.
var byTemplate = map[string]bool{
	v1alpha1.ReasonJoinsFailing:      true,
	v1alpha1.ReasonImageNotFound:     true,
	v1alpha1.ReasonQuotaExceeded:     true,
	v1alpha1.ReasonIntroductionToken: true,
	v1alpha1.ReasonCreateFailed:      true,
}

// working is how many members there are that have joined.
func working(s pool.Snapshot) int {
	n := 0
	for _, m := range s.Members {
		if !m.Leaving && m.Joined {
			n++
		}
	}
	return n
}

func TestPlansDontDependOnTheOrderOfMembers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		for i, m := range s.Members {
			if m.Blocked != nil {
				s.Members[i].Blocked = &nodestate.Blocked{By: m.Blocked.By,
					Problem: condition.Problem{Reason: m.Blocked.Reason, Message: m.Name + ": " + m.Blocked.Message}}
			}
		}
		want := pool.Decide(s)
		wantConditions := pool.Conditions(s, want, pool.Outcome{})
		s.Members = slices.Clone(s.Members)
		rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed"))).Shuffle(len(s.Members), func(i, j int) {
			s.Members[i], s.Members[j] = s.Members[j], s.Members[i]
		})
		if got := pool.Decide(s); !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v after shuffling, want %+v", got, want)
		}
		if got := pool.Conditions(s, want, pool.Outcome{}); !reflect.DeepEqual(got, wantConditions) {
			t.Errorf("conditions %+v after shuffling, want %+v", got, wantConditions)
		}
	})
}

// A pool that is left alone, whose members follow their plan, is as wanted after a few rounds, and then at rest.
func TestPoolsComeToRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySnapshot(t)
		s.Paused, s.Deleting, s.NomadKnown, s.Problems, s.ScaleIn.Strategy = false, false, true, nil,
			v1alpha1.OldestCreateIndex
		for i := range s.Members {
			s.Members[i].Protected, s.Members[i].Blocked, s.Members[i].Halted = false, nil, false
			s.Members[i].NomadUnknown, s.Members[i].NomadNotAsked = false, false
		}
		s.Joins, s.Rollout.MaxAge = pool.Joins{}, nil
		if at := s.Rollout.RestartedAt; at != nil && at.After(now) {
			s.Rollout.RestartedAt = nil
		}
		for round := 0; ; round++ {
			p := pool.Decide(s)
			if c := pool.Count(s); c.Replicas == s.Replicas && c.Draining == 0 && !rolls(s) && c.Ready == c.Replicas {
				break
			}
			if round > 90 {
				t.Fatalf("no rest after %d rounds: %+v", round, p)
			}
			s = followed(s, p, round)
		}
		if p := pool.Decide(s); p.Acts() || p.Wake != 0 || p.ScaleInBlocked != nil || p.ScaleOutBlocked != nil {
			t.Errorf("at rest, but %+v", p)
		}
	})
}

// followed is the pool after its plan was carried out and some time has passed.
func followed(s pool.Snapshot, p pool.Plan, round int) pool.Snapshot {
	var members []pool.Member
	for _, m := range s.Members {
		switch {
		case slices.Contains(p.CancelDrains, m.Name):
			m.Leaving = false
		case m.Leaving:
			continue // gone
		case slices.Contains(p.Replace, m.Name):
			continue
		case slices.Contains(departures(p), m.Name):
			m.Leaving, m.LeavingReason = true, v1alpha1.DrainScaleIn
			if slices.Contains(p.Outdated, m.Name) {
				m.LeavingReason = v1alpha1.DrainRollout
			}
		}
		if m.CancelingDrain = false; slices.Contains(p.CancelDrains, m.Name) {
			m.CancelingDrain = true
		}
		if m.VMMade, m.Joined, m.Ready, m.JoinExpired = true, true, !m.Leaving && !m.CancelingDrain,
			false; m.ReadySince.IsZero() {
			m.ReadySince = s.Now
		}
		m.UnhealthyTime = time.Time{}
		members = append(members, m)
	}
	for i := range p.Create {
		members = append(members,
			member(fmt.Sprintf("new-%d-%d", round, i), pending, func(m *pool.Member) { m.Created = s.Now }))
	}
	s.Members, s.Now = members, s.Now.Add(time.Minute)
	return s
}
