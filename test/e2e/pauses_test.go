package e2e

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The pause before the next member doubles with each that doesn't join. The VM of the one with which the breaker
// opens is kept, and runs, to be looked at; a change of what members are in Nomad, or of the way there, closes the
// breaker.
func TestPausesDoubleUntilTheBreakerOpens(t *testing.T) {
	t.Parallel()
	lift := w.Hypervisor.GuestNeverJoins(
		func(vm types.NamespacedName) bool { return strings.HasPrefix(vm.Name, "pauses-") })
	t.Cleanup(lift)
	tokenSecret(t, "pauses", w.NomadToken)
	create(t, newPool("pauses", 1, joinWithin(impatient), ofGeneration("first")))
	asked := map[string]time.Time{}
	var results []v1alpha1.JoinResult
	paused := false
	eventually(t, "pauses", "the breaker to open", recoveryTime+time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				if n.Spec.Drain != nil {
					asked[n.Name] = n.Spec.Drain.RequestTime.Time
				}
			}
			paused = paused || reports(v1alpha1.PoolScalingOut, v1alpha1.ReasonBackOff)(p, nodes) == nil
			if p.Status.Joins != nil {
				results = p.Status.Joins.Results
			}
			return reports(v1alpha1.PoolJoinsHealthy, v1alpha1.ReasonJoinsFailing)(p, nodes)
		})
	reported(t, "pauses", "BreakerOpened", "")
	if len(results) != 3 {
		t.Fatalf("the results are %+v", results)
	}
	for i, want := range []time.Duration{firstPause, 2 * firstPause} {
		// On a busy machine a pause may be over before the member before it is asked to leave.
		left := results[i].ResultTime.Add(want).Sub(asked[results[i].Member])
		if !paused && !asked[results[i].Member].IsZero() && left > firstPause/2 {
			t.Errorf("no pause was told, and there was one of %s", left)
		}
		made := reported(t, "pauses", "MemberCreated", results[i+1].Member)
		if pause := made.Sub(results[i].ResultTime.Time); pause < want {
			t.Errorf("member %d was made %s after the one before had failed, not after %s", i+2, pause, want)
		}
		reported(t, "pauses", "MemberNotJoined", results[i].Member)
	}
	kept := results[2].Member
	eventually(t, "pauses", "the last VM to be kept", 30*time.Second,
		lasts(3*time.Second, both(are(map[string]string{kept: ""}), vmRunning(t, kept))))

	lift()
	change(t, "pauses", func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Address, p.Spec.Nomad.CredentialsSecretRef = w.NomadAddr, &v1alpha1.SecretRef{Name: "pauses"}
	})
	reported(t, "pauses", "BreakerClosed", "")
	eventually(t, "pauses", "the breaker to be closed", 30*time.Second,
		reports(v1alpha1.PoolJoinsHealthy, v1alpha1.ReasonJoinTimeouts))
	change(t, "pauses", changes(joinWithin(patient), ofGeneration("second")))
	eventually(t, "pauses", "a member that joins", time.Minute, both(rolledOut(1), without(kept)))
	eventually(t, "pauses", "joins to be well", 10*time.Second,
		reports(v1alpha1.PoolJoinsHealthy, v1alpha1.ReasonAsExpected))
	onlyMembersLeft(t, "pauses")
}

// vmRunning is satisfied while a VM runs.
func vmRunning(t *testing.T, name string) check {
	return func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error {
		vm := &kubevirtv1.VirtualMachine{}
		if err := w.Client.Get(t.Context(), inNamespace(name), vm); client.IgnoreNotFound(err) != nil {
			return err
		}
		if vm.Status.PrintableStatus != kubevirtv1.VirtualMachineStatusRunning || vm.DeletionTimestamp != nil {
			return errNotYet
		}
		return nil
	}
}
