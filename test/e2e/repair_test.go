package e2e

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// unhealthyFor is how long members of the test may be down. Nomad's server here takes a client for down after five
// seconds or so.
const unhealthyFor = 6 * time.Second

// upgrade is what Harvester keeps of an upgrade of itself, with the status of its condition Completed. Its admission
// would look into a whole cluster's health before (Harvester: pkg/webhook/resources/upgrade/validator.go).
const upgrade = `
apiVersion: harvesterhci.io/v1beta1
kind: Upgrade
metadata:
  name: hvst-upgrade-x7k2p
  namespace: harvester-system
  labels: {harvesterhci.io/latestUpgrade: "true"}
  annotations: {harvesterhci.io/skipWebhook: "true"}
spec: {image: harvester-system/image-v181}
status:
  conditions: [{type: Completed, status: %q}]
`

// A member that no longer works is replaced by one other; but not if what it suffers from is meant, or passes, or isn't
// its own.
func TestMembersThatNoLongerWork(t *testing.T) {
	t.Parallel()
	create(t, newPool("sick", 3, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Health.UnhealthyTimeout = metav1.Duration{Duration: unhealthyFor}
		p.Spec.Health.MaxUnhealthy = new(intstr.FromInt32(1))
	}))
	eventually(t, "sick", "the pool to settle", time.Minute, allReady(3))
	service(t, "sick", "sick-service", 3)
	nodes := members(t, "sick")
	halted, broken := nodes[0], nodes[1]

	runStrategy(t, halted, kubevirtv1.RunStrategyHalted)
	eventually(t, "sick", "the member to be down", 30*time.Second, nomadStatus("down", 1))
	theCauseLiesElsewhere(t, broken)

	eventually(t, "sick", "the broken member to be replaced", recoveryTime+time.Minute,
		both(without(broken.Name), nomadStatus("ready", 2)))
	reported(t, "sick", "MemberUnhealthy", broken.Name)
	tooManyAreLeftAlone(t, halted.Name)
	if kept, ok := orders(members(t, "sick"))[halted.Name]; !ok || kept != "" {
		t.Errorf("%s, which somebody has halted, isn't left alone: %s", halted.Name, kept)
	}
	if got := nextOrdinal(t, "sick"); got != 4 {
		t.Errorf("%d members were made, not 3 and another one", got)
	}
	onlyMembersLeft(t, "sick")
	running(t, "sick-service", 3)
}

// tooManyAreLeftAlone checks that of two of three members that Nomad no longer hears of none is replaced, and neither
// is the one that Nomad hears of again last.
func tooManyAreLeftAlone(t *testing.T, except string) {
	t.Helper()
	all := members(t, "sick")
	two := slices.DeleteFunc(all, func(n v1alpha1.NomadNode) bool { return n.Name == except })
	for i := range two {
		if err := w.Hypervisor.PauseGuest(client.ObjectKeyFromObject(&two[i])); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "sick", "the pool to say that too many are down", time.Minute,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonTooManyUnhealthy))
	rests(t, "sick", time.Second)
	if err := w.Hypervisor.ResumeGuest(client.ObjectKeyFromObject(&two[0])); err != nil {
		t.Fatal(err)
	}
	eventually(t, "sick", "one to be back", time.Minute, nomadStatus("ready", 1))
	rests(t, "sick", 2*time.Second)
	if err := w.Hypervisor.ResumeGuest(client.ObjectKeyFromObject(&two[1])); err != nil {
		t.Fatal(err)
	}
	eventually(t, "sick", "both to be back", time.Minute, both(nomadStatus("ready", 2), requested("", 3)))
}

// theCauseLiesElsewhere breaks a member, and checks that it isn't replaced while its host is in maintenance or
// Harvester is being upgraded; nor, all the while, anybody else.
func theCauseLiesElsewhere(t *testing.T, broken v1alpha1.NomadNode) {
	t.Helper()
	maintained := maintain(t, broken.Status.VM.Host)
	if err := w.Hypervisor.KillClient(client.ObjectKeyFromObject(&broken)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "sick", "the maintenance to be told", time.Minute,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonHostMaintenance))
	noneIsToLeave(t, "sick")
	upgrading(t, "Unknown")
	maintained()
	change(t, "sick", func(p *v1alpha1.NomadNodePool) { p.Annotations = map[string]string{"look": "now"} })
	eventually(t, "sick", "the upgrade to be told", time.Minute,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonUpgradeRunning))
	noneIsToLeave(t, "sick")
	upgrading(t, "True")
}

func noneIsToLeave(t *testing.T, pool string) {
	t.Helper()
	for name, reason := range orders(members(t, pool)) {
		if reason != "" {
			t.Errorf("%s is to leave: %s", name, reason)
		}
	}
}

// runStrategy starts or stops a member's VM, as Harvester's UI does.
func runStrategy(t *testing.T, n v1alpha1.NomadNode, strategy kubevirtv1.VirtualMachineRunStrategy) {
	t.Helper()
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: n.Namespace, Name: n.Name}}
	patch := client.RawPatch(types.MergePatchType, fmt.Appendf(nil, `{"spec":{"runStrategy":%q}}`, strategy))
	if err := w.Client.Patch(t.Context(), vm, patch); err != nil {
		t.Fatal(err)
	}
}

// maintain puts a host into maintenance, as far as others can see.
func maintain(t *testing.T, host string) (end func()) {
	t.Helper()
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: host}}
	set := func(ctx context.Context, status string) error {
		patch := fmt.Sprintf(`{"metadata":{"annotations":{"harvesterhci.io/maintain-status":%s}}}`, status)
		return w.Client.Patch(ctx, node, client.RawPatch(types.MergePatchType, []byte(patch)))
	}
	if err := set(t.Context(), `"completed"`); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := set(context.Background(), "null"); err != nil {
			t.Error(err)
		}
	})
	return func() {
		if err := set(t.Context(), "null"); err != nil {
			t.Fatal(err)
		}
	}
}

// upgrading makes or changes the object of an upgrade of Harvester.
func upgrading(t *testing.T, completed string) {
	t.Helper()
	if err := kube.Apply(t.Context(), w.Client, "harvester", decode(t, fmt.Sprintf(upgrade, completed))...); err != nil {
		t.Fatal(err)
	}
}
