package member_test

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// lives are moments in the life of a member.
var lives = []struct {
	name string
	o    nodestate.State
}{
	{"joining", booting()},
	{"at rest", steady()},
	{"draining", draining(service("web"))},
	{"empty", draining(nil)},
}

// BenchmarkNext measures the choice of the next step.
func BenchmarkNext(b *testing.B) {
	for _, c := range lives {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				member.Next(c.o)
			}
		})
	}
}

// BenchmarkDescribe measures what is said of the member after it.
func BenchmarkDescribe(b *testing.B) {
	for _, c := range lives {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				member.Describe(c.o, member.Outcome{})
			}
		})
	}
}

// A step is chosen several times in each reconcile of each member, so it costs next to nothing.
func TestNextCostsLittle(t *testing.T) {
	for _, c := range lives {
		if got := testing.AllocsPerRun(100, func() { member.Next(c.o) }); got > 0 {
			t.Errorf("%s: %v allocations", c.name, got)
		}
	}
}
