package nodestate

import (
	"testing"
	"time"
)

func TestSoonerOfTwoWaits(t *testing.T) {
	for name, c := range map[string]struct{ wait, other, want time.Duration }{
		"the first":         {time.Second, time.Minute, time.Second},
		"the second":        {time.Minute, time.Second, time.Second},
		"no first":          {0, time.Minute, time.Minute},
		"no second":         {time.Minute, 0, time.Minute},
		"none":              {0, 0, 0},
		"the first is over": {-time.Second, time.Minute, time.Minute},
	} {
		if got := Sooner(c.wait, c.other); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
}
