package gc

import (
	"slices"
	"testing"
	"time"
)

// What is in a namespace of nobody's pools, or of another controller's, isn't collected.
func TestOrphansOfOtherNamespacesStay(t *testing.T) {
	for name, c := range map[string]struct {
		namespaces, left []string
	}{
		"all":    {nil, nil},
		"theirs": {[]string{"another", "ns"}, nil},
		"others": {[]string{"another"}, []string{lostID, lostName, lostClaim}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture()
			s.Namespaces = c.namespaces
			if left := s.collectFor(t, 30*time.Minute); !slices.Equal(left, c.left) {
				t.Errorf("left %q, want %q", left, c.left)
			}
		})
	}
}
