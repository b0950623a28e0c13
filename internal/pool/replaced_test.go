package pool_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestInWhosePlaceMembersAreMade(t *testing.T) {
	gone := func(reason v1alpha1.DrainReason, ago time.Duration) memberChange {
		return func(m *pool.Member) {
			m.Leaving, m.LeavingReason, m.LeavingSince = true, reason, now.Add(-ago)
		}
	}
	made := func(ago time.Duration) memberChange { return func(m *pool.Member) { m.Created = now.Add(-ago) } }
	failed, unhealthy := v1alpha1.DrainJoinTimeout, v1alpha1.DrainUnhealthy
	for name, c := range map[string]struct {
		members []pool.Member
		n       int
		want    []string
	}{
		"nobody leaves":             {[]pool.Member{member("a")}, 1, nil},
		"one that failed":           {[]pool.Member{member("a"), member("b", gone(failed, time.Minute))}, 1, []string{"b"}},
		"one that broke":            {[]pool.Member{member("b", gone(unhealthy, time.Minute))}, 1, []string{"b"}},
		"one that is outdated":      {[]pool.Member{member("b", gone(v1alpha1.DrainRollout, time.Minute))}, 1, []string{"b"}},
		"a victim":                  {[]pool.Member{member("b", gone(v1alpha1.DrainScaleIn, time.Minute))}, 1, nil},
		"one that is deleted":       {[]pool.Member{member("b", gone(v1alpha1.DrainDeleted, time.Minute))}, 1, nil},
		"one that stays after all":  {[]pool.Member{member("b", gone(failed, time.Minute), func(m *pool.Member) { m.Leaving = false })}, 1, nil},
		"it has been replaced":      {[]pool.Member{member("b", gone(failed, time.Minute)), member("c", made(time.Second))}, 1, nil},
		"by one that leaves, too":   {[]pool.Member{member("b", gone(failed, time.Minute)), member("c", made(time.Second), gone(failed, 0))}, 1, []string{"c"}},
		"two, in their order":       {[]pool.Member{member("b", gone(failed, time.Second)), member("c", gone(failed, time.Minute))}, 2, []string{"c", "b"}},
		"one of two":                {[]pool.Member{member("b", gone(failed, time.Second)), member("c", gone(failed, time.Minute))}, 1, []string{"c"}},
		"the second of two":         {[]pool.Member{member("b", gone(failed, time.Hour)), member("c", gone(failed, time.Minute)), member("d", made(2*time.Minute))}, 1, []string{"c"}},
		"fewer than are to be made": {[]pool.Member{member("b", gone(failed, time.Minute))}, 3, []string{"b"}},
	} {
		if got := pool.Replaced(snapshot(3, c.members...), c.n); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
