package pool_test

import (
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// Names of members that exist follow from what this function is today: it can't change.
func TestMemberNamesAreStable(t *testing.T) {
	for _, c := range []struct {
		uid     string
		ordinal int64
		want    string
	}{
		{"7f0c1d0e-2f6b-4c61-9d5e-0c6a1f3f7b11", 0, "batch-csxkj"},
		{"7f0c1d0e-2f6b-4c61-9d5e-0c6a1f3f7b11", 1, "batch-4vdt4"},
		{"7f0c1d0e-2f6b-4c61-9d5e-0c6a1f3f7b11", 14348906, "batch-lpkbx"},
		{"0b7e6e1c-55c5-4d4e-8f36-5f5b6c8f3a22", 0, "batch-cwcgc"},
	} {
		if got := pool.MemberName("batch", c.uid, c.ordinal); got != c.want {
			t.Errorf("member %d of %s is %q, want %q", c.ordinal, c.uid, got, c.want)
		}
	}
}

// names is how many names a pool has.
const names = 14348907

func TestMemberNamesAreNeverUsedAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		uid := rapid.String().Draw(t, "uid")
		a := rapid.Int64Range(0, names-1).Draw(t, "a")
		b := rapid.Int64Range(0, names-1).Draw(t, "b")
		if x, y := pool.MemberName("p", uid, a), pool.MemberName("p", uid, b); (x == y) != (a == b) {
			t.Errorf("members %d and %d are %s and %s", a, b, x, y)
		}
	})
}

func TestMemberNamesOfALongLife(t *testing.T) {
	const members = 1 << 17
	seen := make(map[string]struct{}, members)
	for n := range int64(members) {
		seen[pool.MemberName("p", "uid", n)] = struct{}{}
	}
	if len(seen) != members {
		t.Errorf("%d names for %d members", len(seen), members)
	}
	if pool.MemberName("p", "uid", 0) != pool.MemberName("p", "uid", names) {
		t.Error("the names begin anew after the last one")
	}
}

func TestMemberNamesAreHostnames(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		poolName := rapid.StringMatching(`[a-z]([-a-z0-9]{0,38}[a-z0-9])?`).Draw(t, "pool")
		name := pool.MemberName(poolName, rapid.String().Draw(t, "uid"), rapid.Int64Range(0, 1<<40).Draw(t, "ordinal"))
		if errs := validation.IsDNS1123Label(name); len(errs) > 0 {
			t.Errorf("%q is no DNS label: %v", name, errs)
		}
		if suffix := strings.TrimPrefix(name, poolName+"-"); len(suffix) != 5 || strings.ContainsAny(suffix, "aeiou013") {
			t.Errorf("%q isn't the pool's name and a suffix that is no word", name)
		}
	})
}

func TestOrdinalsGoOnAfterALostRecord(t *testing.T) {
	for name, c := range map[string]struct {
		recorded int64
		made     []int64
		want     int64
	}{
		"none was ever made":            {0, nil, 0},
		"all are recorded":              {3, []int64{0, 2}, 3},
		"the last one isn't recorded":   {3, []int64{2, 3}, 4},
		"an earlier one is gone":        {3, []int64{5}, 6},
		"many were made at once":        {1, []int64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18}, 19},
		"as far ahead as may be":        {3, []int64{18}, 19},
		"further ahead than may be":     {3, []int64{19}, 3},
		"an old one far behind is left": {40, []int64{0}, 40},
	} {
		t.Run(name, func(t *testing.T) {
			exist := map[string]bool{}
			for _, n := range c.made {
				exist[pool.MemberName("p", "uid", n)] = true
			}
			got := pool.NextOrdinal("p", "uid", c.recorded, func(name string) bool { return exist[name] })
			if got != c.want {
				t.Errorf("got %d, want %d", got, c.want)
			}
		})
	}
}
