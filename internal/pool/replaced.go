package pool

import (
	"slices"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Replaced names the members in whose place the next n are made, for people: those that leave because they didn't join,
// don't work or are outdated, and after whose leaving no other member has been made yet. A rollout that makes members
// beforehand (maxSurge) replaces one that doesn't leave yet, and nobody is named.
func Replaced(s Snapshot, n int) []string {
	var left []*Member
	for i := range s.Members {
		m := &s.Members[i]
		switch m.LeavingReason {
		case v1alpha1.DrainJoinTimeout, v1alpha1.DrainUnhealthy, v1alpha1.DrainRollout:
			if m.Leaving {
				left = append(left, m)
			}
		default: // nobody takes its place
		}
	}
	slices.SortFunc(left, func(a, b *Member) int {
		if c := a.LeavingSince.Compare(b.LeavingSince); c != 0 {
			return c
		}
		return byName(a, b)
	})
	made := slices.Clone(s.Members)
	slices.SortFunc(made, func(a, b Member) int { return a.Created.Compare(b.Created) })
	for i := range made {
		at := slices.IndexFunc(left, func(m *Member) bool {
			return m.Name != made[i].Name && !made[i].Created.Before(m.LeavingSince)
		})
		if at >= 0 {
			left = slices.Delete(left, at, at+1)
		}
	}
	return names(left[:min(n, len(left))])
}
