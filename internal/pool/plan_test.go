package pool_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

func TestPlanActs(t *testing.T) {
	a := []string{"a"}
	for name, c := range map[string]struct {
		p    pool.Plan
		want bool
	}{
		"nothing":                      {pool.Plan{}, false},
		"one is made":                  {pool.Plan{Create: 1}, true},
		"a drain is canceled":          {pool.Plan{CancelDrains: a}, true},
		"one is replaced":              {pool.Plan{Replace: a}, true},
		"a victim":                     {pool.Plan{Victims: a}, true},
		"a victim and an outdated one": {pool.Plan{Victims: a, Outdated: a}, true},
		"a victim and a failed one":    {pool.Plan{Victims: a, Failed: a}, true},
		"a victim and an unhealthy":    {pool.Plan{Victims: a, Unhealthy: a}, true},
		"waits":                        {pool.Plan{Wake: 1}, false},
	} {
		if got := c.p.Acts(); got != c.want {
			t.Errorf("%s: %t, want %t", name, got, c.want)
		}
	}
}
