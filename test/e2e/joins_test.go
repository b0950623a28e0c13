package e2e

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor"
)

const (
	// impatient is for guests that never join, and patient for those that do, on a busy machine.
	impatient = 5 * time.Second
	patient   = 5 * time.Minute
	// firstPause is how long the next member waits after the first that didn't join.
	firstPause = 10 * time.Second
	// recoveryTime is how long nobody is replaced after the controller has found Nomad.
	recoveryTime = time.Minute
)

func joinWithin(d time.Duration) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Health.JoinTimeout = metav1.Duration{Duration: d} }
}

// A rollout to a template whose guests never join stops before it costs anything, and ends when the template is put
// back.
func TestRolloutStopsWhenNobodyJoins(t *testing.T) {
	t.Parallel()
	create(t, newPool("stuck", 3, ofGeneration("first"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Rollout.MaxSurge = new(intstr.FromInt32(3)) // so that three fail at once
	}))
	eventually(t, "stuck", "the pool to settle", time.Minute, allReady(3))
	service(t, "stuck", "stuck-service", 3)
	old, work, uids := orders(members(t, "stuck")), allocationStates(t, "stuck-service"), vmUIDs(t, "stuck")
	t.Cleanup(w.Hypervisor.GuestNeverJoins(newGuests(t, "stuck")))

	change(t, "stuck", changes(ofGeneration("broken"), joinWithin(impatient)))
	eventually(t, "stuck", "the breaker to open", 2*time.Minute, both(
		reports(v1alpha1.PoolJoinsHealthy, v1alpha1.ReasonJoinsFailing, v1alpha1.RetryJoinsAnnotation),
		both(reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonJoinsFailing),
			reports(v1alpha1.PoolReady, v1alpha1.ReasonJoinsFailing))))
	reported(t, "stuck", "BreakerOpened", "")
	rests(t, "stuck", 5*time.Second)
	kept := vmUIDs(t, "stuck")
	if len(kept) <= len(uids) {
		t.Error("no VM that failed is kept")
	}
	for uid := range uids {
		if !kept[uid] {
			t.Errorf("VM %s, which worked, is gone", uid)
		}
	}

	change(t, "stuck", ofGeneration("first"))
	eventually(t, "stuck", "the members of before", time.Minute, both(rolledOut(3), are(old)))
	eventually(t, "stuck", "joins to be well", 10*time.Second, reports(v1alpha1.PoolJoinsHealthy,
		v1alpha1.ReasonAsExpected))
	reported(t, "stuck", "BreakerClosed", "")
	if got := allocationStates(t, "stuck-service"); !maps.Equal(got, work) {
		t.Errorf("the allocations are %v, not %v", got, work)
	}
	onlyMembersLeft(t, "stuck")
}

// A member whose guest never joins is replaced after a pause. When three in a row fail, no more are made until the user
// says so.
func TestMembersThatNeverJoin(t *testing.T) {
	t.Parallel()
	lift := w.Hypervisor.GuestNeverJoins(
		func(vm types.NamespacedName) bool { return strings.HasPrefix(vm.Name, "probe-") })
	t.Cleanup(func() { lift() })
	create(t, newPool("probe", 1, joinWithin(impatient)))
	lost := pausedAfter(t)
	t.Cleanup(w.Hypervisor.GuestNeverJoins( // a busy machine may have yet to boot them
		func(vm types.NamespacedName) bool { return slices.Contains(lost, vm.Name) }))
	lift()
	change(t, "probe", joinWithin(patient))
	eventually(t, "probe", "the next member to join", time.Minute, both(allReady(1),
		func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error { // which is written a moment later
			if results := p.Status.Joins.Results; !results[len(results)-1].Joined {
				return fmt.Errorf("recorded is %+v", results)
			}
			return nil
		}))
	checkPause(t, lost)

	lift = w.Hypervisor.GuestNeverJoins(newGuests(t, "probe"))
	change(t, "probe",
		changes(joinWithin(impatient), func(p *v1alpha1.NomadNodePool) { p.Spec.Replicas = ptr.To[int32](4) }))
	eventually(t, "probe", "the breaker to open", 2*time.Minute, reports(v1alpha1.PoolReady, v1alpha1.ReasonJoinsFailing))
	reported(t, "probe", "BreakerOpened", "")
	rests(t, "probe", 3*time.Second)
	if err := scale(t, "probe", 5); err != nil {
		t.Fatal(err)
	}
	eventually(t, "probe", "the pool to say that no member is made", 30*time.Second,
		reports(v1alpha1.PoolScalingOut, v1alpha1.ReasonJoinsFailing))
	rests(t, "probe", time.Second)
	if err := scale(t, "probe", 2); err != nil {
		t.Fatal(err)
	}
	eventually(t, "probe", "the user's scale-in to be done", time.Minute, atMost(t, 2))
	var failed []string
	for _, n := range members(t, "probe") {
		if n.Status.JoinedTime == nil {
			failed = append(failed, n.Name)
		}
	}
	bootedInVain(t, failed...)
	lift()
	change(t, "probe", func(p *v1alpha1.NomadNodePool) {
		p.Annotations = map[string]string{v1alpha1.RetryJoinsAnnotation: "now"}
	})
	for _, name := range failed {
		reportedWithin(t, time.Minute, "probe", "MemberNotJoined", name)
	}
	change(t, "probe", joinWithin(patient))
	reported(t, "probe", "BreakerClosed", "")
	eventually(t, "probe", "the pool to be well", time.Minute,
		both(allReady(2), reports(v1alpha1.PoolJoinsHealthy, v1alpha1.ReasonAsExpected)))
	onlyMembersLeft(t, "probe")
}

// pausedAfter waits until no member of the pool, whose guests never join, is left and the next one has to wait, and
// returns those that failed before. The first pause passes unseen if the controller has only just found Nomad when the first
// member's time is up, or if nobody looked for ten seconds; the one after it lasts longer.
func pausedAfter(t *testing.T) (lost []string) {
	t.Helper()
	eventually(t, "probe", "the pause to be reported", recoveryTime+time.Minute,
		both(reports(v1alpha1.PoolScalingOut, v1alpha1.ReasonBackOff),
			func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
				for _, n := range nodes {
					if n.Spec.Drain == nil {
						return fmt.Errorf("member %s is there", n.Name)
					}
				}
				lost = failedJoins(p)
				return nil
			}))
	for _, name := range lost {
		reported(t, "probe", "MemberNotJoined", name)
	}
	return lost
}

// failedJoins are the members that the pool says didn't join, the first one first.
func failedJoins(p *v1alpha1.NomadNodePool) (names []string) {
	for _, r := range p.Status.Joins.Results {
		if !r.Joined {
			names = append(names, r.Member)
		}
	}
	return names
}

// bootedInVain waits until members that are to never join have been started without a Nomad client, or can't be any
// more. On a busy machine a fault could else be lifted before it takes effect.
func bootedInVain(t *testing.T, names ...string) {
	t.Helper()
	for _, name := range names {
		awaitFor(t, "guest "+name+" to have booted in vain", func(ctx context.Context) error {
			for _, e := range w.Hypervisor.Trace() {
				if e.VM.Name == name && (e.Kind == hypervisor.ClientAbsent || e.Kind == hypervisor.GuestStopped) {
					return nil
				}
			}
			if err := w.Client.Get(ctx, inNamespace(name), &kubevirtv1.VirtualMachine{}); !apierrors.IsNotFound(err) {
				return errors.Join(errNotYet, err)
			}
			return nil
		})
	}
}

// checkPause checks that the only member joined after those that are lost, and that it was made long enough after them.
func checkPause(t *testing.T, lost []string) {
	t.Helper()
	p, nodes, err := read(t.Context(), "probe")
	if err != nil {
		t.Fatal(err)
	}
	results := p.Status.Joins.Results
	last := results[len(results)-1]
	if !slices.Equal(failedJoins(p), lost) || last.Member != nodes[0].Name || !last.Joined {
		t.Fatalf("%v didn't join and %s did; recorded is %+v", lost, nodes[0].Name, results)
	}
	want := firstPause << (len(lost) - 1)
	if pause := nodes[0].CreationTimestamp.Sub(results[len(lost)-1].ResultTime.Time); pause < want {
		t.Errorf("the next member was made %s after the last had failed, not after %s", pause, want)
	}
}
