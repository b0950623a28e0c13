package pool_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestRefusedMembersOfAFormerTemplateAreReplaced(t *testing.T) {
	for _, c := range []struct {
		name    string
		s       pool.Snapshot
		change  func(*pool.Snapshot)
		replace []string
		wake    time.Duration
	}{
		{name: "the template was corrected", s: snapshot(3, member("a", outdated, refused)), replace: []string{"a"}},
		{name: "beside members that were made", s: snapshot(3, member("a"), member("b", outdated),
			member("c", outdated, refused)), replace: []string{"c"}},
		{name: "though Nomad is unknown: there is no node", s: snapshot(1, member("a", outdated, refused)),
			change: nomadUnknown, replace: []string{"a"}},
		{name: "surplus: it leaves as a victim", s: snapshot(1, member("a"), member("b", outdated, refused))},
		{name: "though a scale-in waits", s: snapshot(1, member("a"), member("b", outdated, refused)),
			change:  func(s *pool.Snapshot) { s.LastScale, s.ScaleIn.StabilizationWindow = now, window(time.Hour) },
			replace: []string{"b"}},
		{name: "of the present template", s: snapshot(3, member("a", refused))},
		{name: "its name is taken", s: snapshot(1, member("a", lacks(v1alpha1.ReasonVMNameTaken))), replace: []string{"a"}},
		{name: "its name is taken, and it was made just now",
			s: snapshot(1, member("a", lacks(v1alpha1.ReasonVMNameTaken), age(29*time.Second))), wake: time.Second},
		{name: "its name is taken, and it was made half a minute ago",
			s: snapshot(1, member("a", lacks(v1alpha1.ReasonVMNameTaken), age(30*time.Second))), replace: []string{"a"}},
		{name: "Nomad gives no token", s: snapshot(1, member("a", lacks(v1alpha1.ReasonIntroductionToken)))},
		{name: "outdated, and nobody knows if its VM was made",
			s: snapshot(1, member("a", outdated, lacks(v1alpha1.ReasonCreateFailed)))},
		{name: "no capacity for its VM, which drains", s: snapshot(1, member("a", outdated, noCapacity))},
		{name: "outdated, and on its way", s: snapshot(3, member("a", outdated, pending))},
		{name: "leaving already", s: snapshot(0, member("a", outdated, refused, leaving(time.Second)))},
		{name: "protected", s: snapshot(1, member("a", outdated, refused, protected))},
		{name: "paused", s: snapshot(1, member("a", outdated, refused)), change: paused},
		{name: "deleting", s: snapshot(1, member("a", outdated, refused)), change: deleting},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change != nil {
				c.change(&c.s)
			}
			p := pool.Decide(c.s)
			if !slices.Equal(p.Replace, c.replace) {
				t.Errorf("replaced are %q, want %q", p.Replace, c.replace)
			}
			if c.wake > 0 && p.Wake != c.wake {
				t.Errorf("wakes after %s, want %s", p.Wake, c.wake)
			}
			if len(p.Replace) > 0 && (!p.Acts() || len(p.Victims) > 0) {
				t.Errorf("plan %+v does nothing, or requests drains", p)
			}
		})
	}
}
