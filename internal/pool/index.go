package pool

import (
	"slices"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// index is a snapshot with its subsets by name. Each is defined here, or by the function that its comment names, and
// computed once: a policy reads the subsets that it needs, and visits no others. Nothing in an index depends on a plan.
// The members in it are the snapshot's own, so nobody may change them, or the order of a subset.
type index struct {
	Snapshot

	// active are the members that have no drain request and aren't being deleted. Only they count against replicas.
	active []*Member
	// updated are the active members that no rollout need replace (upToDate).
	updated []*Member
	// outdated are the active members that a rollout may replace: not updated, not protected, and not left to OnDelete.
	outdated []*Member
	// available are the active members that have been ready for rollout.minReadySeconds (availableIn).
	available []*Member
	// arriving are the updated members that aren't available yet: a rollout waits for them.
	arriving []*Member
	// withoutVM are the active members whose VM the API server hasn't accepted yet. They take quota as soon as it does.
	withoutVM []*Member
	// joining are the active members that are on their way to join Nomad (isJoining).
	joining []*Member
	// joinExpired are the active members that should have joined by now and haven't, by name.
	joinExpired []*Member
	// blocked are the active members that something keeps from being made, or from running, by name.
	blocked []*Member
	// halted are the active members whose VM somebody has halted, by name. An upgrade of Harvester and host maintenance
	// halt VMs themselves: those aren't among them.
	halted []*Member
	// inMaintenance are the active members whose host is in maintenance.
	inMaintenance []*Member
	// failed and unhealthy are the active members that a repair may replace, because they didn't join in time or no longer
	// work, by name. nextBroken is how long until the next member is one of them; 0: none will be.
	failed, unhealthy []*Member
	nextBroken        time.Duration
	// ailing is true if the time of some members runs, to join or to work again, and may have to stand still (isAiling).
	// nextAiling is how long until it does for the next one; 0: for none.
	ailing     bool
	nextAiling time.Duration
	// expiring are the active members whose certificate ends soon, the first first (expiresIn). nextExpiring is how long
	// until there is another one; 0: there will be none.
	expiring     []*Member
	nextExpiring time.Duration
	// unsteady are the active members that had joined and don't work, or didn't until a moment ago (isUnsteady).
	unsteady []*Member

	// leaving are the members that are on their way out, without those that are stuck there: these may never end, and take
	// no place of scaleIn.maxConcurrent.
	leaving []*Member
	// repairing are those of them that leave because they didn't join or don't work.
	repairing []*Member
	// reclaimable and reclaimableOld are the members whose drain can still be canceled, the youngest drain request first:
	// those that are up to date, and those that are outdated but don't leave for that.
	reclaimable, reclaimableOld []*Member

	// recovering is for how much longer what Nomad reports of its nodes' health isn't acted upon.
	recovering time.Duration
	// templateBlocked is what blocks a rollout because of the template that it leads to; nil: nothing
	// (templateProblem).
	templateBlocked *condition.Problem
	// maxSurge is how many members more than replicas there may be: none but during a rollout. maxUnavailable is how many
	// members fewer than replicas may be available because of it.
	maxSurge, maxUnavailable int
	// kept are the names of members that may stay beyond replicas while templateBlocked (keep).
	kept map[string]bool
	// surplus is how many active members there are beyond replicas, and beyond what may surge or is kept.
	surplus int
	// missing is how many members are to be made or reclaimed (countMissing); wanted is how many of them are to be made.
	// Both may be negative.
	missing, wanted int
	// reclaimed are the members that fill the places of missing ones; none while Nomad can't be asked.
	reclaimed []*Member
	// mayLeave is how many more members may leave at this time.
	mayLeave int
}

// newIndex visits each member once.
func newIndex(s Snapshot) *index {
	all := func() []*Member { return make([]*Member, 0, len(s.Members)) } // most members are in these, most of the time
	x := &index{Snapshot: s, active: all(), updated: all(), available: all(), recovering: s.recoveryLeft()}
	for i := range x.Members {
		m := &x.Members[i]
		if m.Leaving {
			x.addLeaving(m)
			continue
		}
		x.active = append(x.active, m)
		x.addToRollout(m)
		x.addToProgress(m)
		x.addToHealth(m)
		x.addToAiling(m)
		x.addToExpiring(m)
	}
	for _, set := range [][]*Member{x.joinExpired, x.blocked, x.halted, x.failed, x.unhealthy} {
		slices.SortFunc(set, byName)
	}
	slices.SortFunc(x.expiring, firstToExpire)
	slices.SortFunc(x.reclaimable, youngestDrain)
	slices.SortFunc(x.reclaimableOld, youngestDrain)
	x.count()
	return x
}

// addLeaving puts a member that leaves into its subsets.
func (x *index) addLeaving(m *Member) {
	if !m.Stuck {
		x.leaving = append(x.leaving, m)
		if m.LeavingReason == v1alpha1.DrainJoinTimeout || m.LeavingReason == v1alpha1.DrainUnhealthy {
			x.repairing = append(x.repairing, m)
		}
	}
	switch {
	case !m.Reclaimable:
	case x.upToDate(m):
		x.reclaimable = append(x.reclaimable, m)
	case m.LeavingReason != v1alpha1.DrainRollout:
		x.reclaimableOld = append(x.reclaimableOld, m)
	}
}

// addToRollout puts an active member into the subsets by template, age and availability.
func (x *index) addToRollout(m *Member) {
	updated := x.upToDate(m)
	switch {
	case updated:
		x.updated = append(x.updated, m)
	case !m.Protected && x.Rollout.Type != v1alpha1.OnDelete:
		x.outdated = append(x.outdated, m)
	}
	available, _ := x.availableIn(m)
	switch {
	case available:
		x.available = append(x.available, m)
	case updated:
		x.arriving = append(x.arriving, m)
	}
}

// addToProgress puts an active member into the subsets by how far it has come.
func (x *index) addToProgress(m *Member) {
	if !m.VMMade {
		x.withoutVM = append(x.withoutVM, m)
	}
	if m.isJoining() {
		x.joining = append(x.joining, m)
	}
	if m.JoinExpired {
		x.joinExpired = append(x.joinExpired, m)
	}
	if m.Blocked != nil {
		x.blocked = append(x.blocked, m)
	}
	switch {
	case m.HostMaintenance:
		x.inMaintenance = append(x.inMaintenance, m)
	case m.Halted && x.Upgrade == nil:
		x.halted = append(x.halted, m)
	}
}

// addToHealth puts an active member into the subsets by whether it works.
func (x *index) addToHealth(m *Member) {
	if x.isUnsteady(m) {
		x.unsteady = append(x.unsteady, m)
	}
	unhealthyIn := m.UnhealthyTime.Add(x.Health.UnhealthyTimeout.Duration).Sub(x.Now)
	switch {
	case m.Protected || m.CancelingDrain || m.Halted || m.HostMaintenance || m.Blocked != nil:
		// Another in the place of one that is blocked would fare the same.
	case m.JoinExpired && m.VMMade:
		x.failed = append(x.failed, m)
	case !m.Joined && m.VMMade && m.JoinDeadline.After(x.Now): // its own status may have said long ago that its time is up
		x.nextBroken = nodestate.Sooner(x.nextBroken, m.JoinDeadline.Sub(x.Now))
	case m.Ready || m.UnhealthyTime.IsZero() || x.Health.UnhealthyTimeout.Duration <= 0:
	case unhealthyIn > 0:
		x.nextBroken = nodestate.Sooner(x.nextBroken, unhealthyIn)
	default:
		x.unhealthy = append(x.unhealthy, m)
	}
}

// addToAiling notes whether the time of an active member runs.
func (x *index) addToAiling(m *Member) {
	ails, in := x.isAiling(m)
	x.ailing, x.nextAiling = x.ailing || ails, nodestate.Sooner(x.nextAiling, in)
}

// count derives the numbers, each from those before it.
func (x *index) count() {
	surge, unavailable := x.budgets()
	x.maxUnavailable = unavailable
	if len(x.outdated) > 0 {
		x.maxSurge = surge
	}
	x.templateBlocked = templateProblem(x)
	beyond := x.maxSurge
	if x.templateBlocked != nil {
		x.kept = keep(x)
		beyond = len(x.kept)
	}
	x.surplus = max(len(x.active)-x.Replicas-beyond, 0)
	x.missing = countMissing(x)
	if x.missing > 0 && x.NomadKnown {
		x.reclaimed = reclaim(x, x.missing)
	}
	x.wanted = x.missing - len(x.reclaimed)
	x.mayLeave = len(x.Members)
	if most := x.ScaleIn.MaxConcurrent; most != nil {
		x.mayLeave = max(int(*most)-len(x.leaving), 0)
	}
}

func byName(a, b *Member) int { return strings.Compare(a.Name, b.Name) }

// youngestDrain puts the member whose drain was requested last first.
func youngestDrain(a, b *Member) int {
	if c := b.LeavingSince.Compare(a.LeavingSince); c != 0 {
		return c
	}
	return byName(a, b)
}

func names(ms []*Member) []string {
	if len(ms) == 0 {
		return nil
	}
	out := make([]string, len(ms))
	for i, m := range ms {
		out[i] = m.Name
	}
	return out
}

// setOf returns the names as a set.
func setOf(groups ...[]string) map[string]bool {
	out := map[string]bool{}
	for _, group := range groups {
		for _, name := range group {
			out[name] = true
		}
	}
	return out
}
