package e2e

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// What Harvester's or KubeVirt's admission refuses is said in their words, costs one attempt and not one for each
// member, and heals when the template is corrected.
func TestRefusedVMIsReportedWordForWord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, overlay, text string }{
		// Harvester: pkg/util/virtualmachine, SupportInsertCdRomVolume. KubeVirt has nothing against this bus: which of two
		// webhooks that refuse is heard is left to chance.
		{"harvester-says-no", `{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"cd","cdrom":{"bus":"scsi"}}]}}}}}`,
			`admission webhook "validator.harvesterhci.io" denied the request: empty cd-rom device should connect via SATA bus`},
		// KubeVirt: pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go.
		{"kubevirt-says-no", `{"template":{"spec":{"evictionStrategy":"Sometimes"}}}`,
			`denied the request: spec.template.spec.evictionStrategy is set with an unrecognized option: Sometimes`},
	} {
		t.Run(c.name, func(t *testing.T) {
			create(t, newPool(c.name, 3, func(p *v1alpha1.NomadNodePool) {
				p.Spec.Template.VirtualMachine = &runtime.RawExtension{Raw: []byte(c.overlay)}
			}))
			eventually(t, c.name, "the pool to tell of the refusal", 30*time.Second,
				reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonAdmissionDenied, c.text))
			eventually(t, c.name, "the pool to sum it up", 10*time.Second,
				reports(v1alpha1.PoolReady, v1alpha1.ReasonAdmissionDenied, c.text))
			stays(t, c.name, "one member is tried", 5*time.Second,
				func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
					return onlyOneRefused(nodes, v1alpha1.ReasonAdmissionDenied, c.text)
				})
			reported(t, c.name, "VMRefused", c.text)

			change(t, c.name, func(p *v1alpha1.NomadNodePool) { p.Spec.Template.VirtualMachine = nil })
			eventually(t, c.name, "the corrected pool to settle", 2*time.Minute, allReady(3))
			eventually(t, c.name, "the template to be valid", 10*time.Second,
				reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonAsExpected))
			eventually(t, c.name, "all members to be of the corrected template", 10*time.Second,
				reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonAsExpected))
		})
	}
}

// A quota is nobody's mistake in the template: the same members go on once there is capacity.
func TestQuotaBlocksThePoolUntilThereIsCapacity(t *testing.T) {
	const count = "count/virtualmachines.kubevirt.io"
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: "few-vms"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{count: resource.MustParse("1")}},
	}
	createObject(t, quota)
	create(t, newPool("quota", 4))
	eventually(t, "quota", "the pool to tell of the quota", time.Minute,
		reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonQuotaExceeded, "exceeded quota: few-vms", "limited: "+count+"=1"))
	stays(t, "quota", "those above the quota wait", 5*time.Second,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			waiting := slices.DeleteFunc(nodes, func(n v1alpha1.NomadNode) bool { return n.Status.VM.UID != "" })
			if len(waiting) < 1 || len(waiting) > 3 {
				return fmt.Errorf("%d members wait, not 1 to 3", len(waiting))
			}
			return nil
		})
	reported(t, "quota", "VMRefused", "exceeded quota: few-vms")
	if err := w.Client.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	eventually(t, "quota", "the pool to settle", 2*time.Minute, allReady(4))
}

// A quota of what VMs use, which Harvester holds them to only once they are made, is looked at before.
func TestQuotaWithoutCapacityIsReportedBeforeAnythingIsMade(t *testing.T) {
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: "few-cpus"},
		Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceLimitsCPU: resource.MustParse("1")}},
	}
	createObject(t, quota)
	err := process.WaitFor(t.Context(), poll, "the quota to be counted", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(quota), quota); err != nil || len(quota.Status.Hard) == 0 {
			return fmt.Errorf("status %+v (%w)", quota.Status, err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	create(t, newPool("cpus", 1))
	eventually(t, "cpus", "the pool to tell of the quota", 30*time.Second, reports(
		v1alpha1.PoolTemplateValid,
		v1alpha1.ReasonQuotaExceeded,
		`ResourceQuota "few-cpus" allows limits.cpu 1 in the namespace, of which too little is left: each new member needs 2 (kubectl describe resourcequota -n `,
	))
	nothingMade(t, "cpus")
	if err := w.Client.Delete(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	eventually(t, "cpus", "the pool to settle", 2*time.Minute, allReady(1))
}

func onlyOneRefused(nodes []v1alpha1.NomadNode, reason, text string) error {
	if len(nodes) != 1 {
		return fmt.Errorf("%d members were made, not 1", len(nodes))
	}
	if c := memberCondition(nodes[0], v1alpha1.NodeVMReady); c.Status != metav1.ConditionFalse || c.Reason != reason ||
		!strings.Contains(c.Message, text) {
		return fmt.Errorf("member %s: VMReady is %s/%s: %s", nodes[0].Name, c.Status, c.Reason, c.Message)
	}
	return nil
}

// reported waits for an event of a pool or of one of its members, and returns when it was emitted.
func reported(t *testing.T, pool, reason, text string) (at time.Time) {
	t.Helper()
	return reportedWithin(t, 15*time.Second, pool, reason, text)
}

// reportedWithin is reported for what comes later than soon, on an idle machine. The pool itself may be gone by then.
func reportedWithin(t *testing.T, within time.Duration, pool, reason, text string) (at time.Time) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), slack*within)
	defer cancel()
	err := process.WaitFor(ctx, poll, "event "+reason, func(ctx context.Context) error {
		var l eventsv1.EventList
		if err := w.Client.List(ctx, &l, client.InNamespace(fixtures.Namespace)); err != nil {
			return err
		}
		for _, e := range l.Items {
			ofPool := e.Regarding.Name == pool || strings.HasPrefix(e.Regarding.Name, pool+"-")
			if ofPool && e.Reason == reason && strings.Contains(e.Note, text) {
				at = e.EventTime.Time
				return nil
			}
		}
		return fmt.Errorf("none of %d events says %q", len(l.Items), text)
	})
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// Harvester's admission refuses every change of a VM whose network has been deleted, but not its deletion: members
// still leave.
func TestMembersLeaveThoughTheirNetworkIsGone(t *testing.T) {
	network := decode(t, lateNetwork)
	if err := kube.Create(t.Context(), w.Client, network...); err != nil {
		t.Fatal(err)
	}
	create(t,
		newPool("no-way-back", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Template.Networks[0].Name = "default/vlan-late" }))
	eventually(t, "no-way-back", "the pool to settle", time.Minute, allReady(1))
	if err := w.Client.Delete(t.Context(), network[0]); err != nil {
		t.Fatal(err)
	}
	if err := scale(t, "no-way-back", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no-way-back", "the member to leave", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) > 0 {
				return fmt.Errorf("member %s: phase %s, VM %s", nodes[0].Name, nodes[0].Status.Phase, nodes[0].Status.VM.Status)
			}
			return nil
		})
}
