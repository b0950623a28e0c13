package e2e

import (
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Without a surge members are replaced within replicas, one fewer at a time; and the next old one isn't asked to
// leave before the last new one has been ready for minReadySeconds.
func TestRolloutWithoutSurge(t *testing.T) {
	t.Parallel()
	const size, ripe = 3, 4 * time.Second
	create(t, newPool("tight", size, ofGeneration("first"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Rollout.MaxSurge, p.Spec.Rollout.MaxUnavailable = new(intstr.FromInt32(0)), new(intstr.FromInt32(1))
		p.Spec.Rollout.MinReadySeconds = int32(ripe.Seconds())
	}))
	eventually(t, "tight", "the pool to settle", time.Minute, allReady(size))
	old := orders(members(t, "tight"))
	eventually(t, "tight", "its members to be ready for long enough", time.Minute, lasts(ripe, allReady(size)))

	watch := watchRollout("tight", "")
	change(t, "tight", ofGeneration("second"))
	left, ready := map[string]time.Time{}, map[string]time.Time{}
	eventually(t, "tight", "the rollout to end", 2*time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				if n.Spec.Drain != nil {
					left[n.Name] = n.Spec.Drain.RequestTime.Time
				}
				c := memberCondition(n, v1alpha1.NodeReady)
				if _, isOld := old[n.Name]; !isOld && c.Reason == v1alpha1.ReasonNodeReady {
					ready[n.Name] = c.LastTransitionTime.Time
				}
			}
			if err := rolledOut(size)(p, nodes); err != nil || len(ready) == size {
				return err
			}
			return errNotYet // the members were listed before the pool, which counts the last one already
		})
	watch.stop(t)
	if watch.most > size {
		t.Errorf("%d members were wanted at a time, more than %d", watch.most, size)
	}
	if watch.ready < size-1 {
		t.Errorf("only %d nodes took work at a time", watch.ready)
	}
	departures, arrivals := inOrder(left), inOrder(ready)
	if len(departures) != size || len(arrivals) != size {
		t.Fatalf("left: %v; ready: %v", left, ready)
	}
	for i, at := range departures[1:] {
		if after := at.Sub(arrivals[i]); after < ripe {
			t.Errorf("old member %d was asked to leave %s after new member %d was ready", i+2, after, i+1)
		}
	}
	for name := range old {
		if _, went := left[name]; !went {
			t.Errorf("%s left without an order", name)
		}
		reported(t, "tight", "MemberOutdated", name)
	}
	onlyMembersLeft(t, "tight")
}

func inOrder(at map[string]time.Time) []time.Time {
	var out []time.Time
	for _, when := range at {
		out = append(out, when)
	}
	slices.SortFunc(out, time.Time.Compare)
	return out
}
