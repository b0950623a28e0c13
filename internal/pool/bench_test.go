package pool_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// manyMembers is how many members the benchmarks' pools have.
const manyMembers = 1000

// BenchmarkPool measures what one reconcile of a large pool costs: what must be observed, the plan, and the report.
func BenchmarkPool(b *testing.B) {
	forLargePools(b, func(s pool.Snapshot) {
		s.Joins = s.Joins.Update("key", s)
		pool.NeedsHosts(s)
		pool.NeedsQuota(s)
		pool.NeedsUsage(s)
		p := pool.Decide(s)
		pool.Count(s)
		pool.GrowthBlockedBy(s, p, pool.Outcome{})
		pool.Conditions(s, p, pool.Outcome{})
	})
}

// BenchmarkDecide measures the plan alone.
func BenchmarkDecide(b *testing.B) {
	forLargePools(b, func(s pool.Snapshot) { pool.Decide(s) })
}

// TestDecideAllocatesLittle holds the plan to 64 KiB, on any processor.
func TestDecideAllocatesLittle(t *testing.T) {
	const most, runs = 64 << 10, 20
	for name, s := range largePools() {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		for range runs {
			pool.Decide(s)
		}
		runtime.ReadMemStats(&after)
		if got := (after.TotalAlloc - before.TotalAlloc) / runs; got > most {
			t.Errorf("%s: the plan for %d members allocated %d bytes, at most %d are allowed", name, manyMembers, got, most)
		}
	}
}

func forLargePools(b *testing.B, do func(pool.Snapshot)) {
	for name, s := range largePools() {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				do(s)
			}
		})
	}
}

// largePools are a pool at rest, one in a scale-in and one in a rollout.
func largePools() map[string]pool.Snapshot {
	return map[string]pool.Snapshot{
		"at rest":            largePool(manyMembers, 0),
		"scale-in of half":   largePool(manyMembers/2, 0),
		"rollout, half done": largePool(manyMembers, manyMembers/2),
	}
}

// largePool has a thousand members, of which some are outdated, and Nomad's answer on how busy they are.
func largePool(replicas, old int) pool.Snapshot {
	s := snapshot(replicas)
	s.Rollout = v1alpha1.RolloutSpec{Type: v1alpha1.RollingUpdate, MaxSurge: ptr(intstr.FromString("10%")),
		MaxUnavailable: ptr(intstr.FromString("10%")), MaxAge: window(24 * time.Hour)}
	s.Health.UnhealthyTimeout.Duration = time.Minute
	s.Usage = map[string]pool.Usage{}
	for i := range manyMembers {
		m := member(fmt.Sprint("m", i), index(uint64(i*7919%manyMembers)))
		m.JoinedAt, m.ReadySince = m.Created, m.Created
		if i < old {
			m.Revision = former
		}
		s.Members = append(s.Members, m)
		s.Usage[m.Name] = pool.Usage{Load: float64(i%10) / 10, Allocations: i % 10}
	}
	return s
}
