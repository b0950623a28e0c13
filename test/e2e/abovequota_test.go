package e2e

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/faultproxy"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Harvester holds even a VM that is being deleted to its namespace's quota, and refuses that KubeVirt and Harvester's
// own controller let it go once its guest is gone. A namespace that comes under a quota of less than it uses would
// keep its VMs for ever.
func TestVMAboveItsQuotaIsRemoved(t *testing.T) {
	create(t, newPool("above", 2))
	eventually(t, "above", "the pool to settle", time.Minute, allReady(2))
	comeUnderQuota(t)
	if err := scale(t, "above", 0); err != nil {
		t.Fatal(err)
	}
	reported(t, "above", "DeleteStuck", "cpu insufficient resources due to resource quota")
	eventually(t, "above", "the members to leave", 30*time.Second,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) > 0 {
				return fmt.Errorf("%d members, VMReady of one: %+v", len(nodes), memberCondition(nodes[0], v1alpha1.NodeVMReady))
			}
			return nil
		})
}

// Harvester admits a VM that is above its namespace's quota, and then halts it for good. What is lacking is reported in
// its words, and the VM is started once there is capacity.
func TestVMAboveItsQuotaIsStartedWhenThereIsCapacity(t *testing.T) {
	made := w.APIFaults.Inject(faultproxy.Fault{ // after the quotas were looked at, and before the VM is there
		Match: func(r *http.Request) bool {
			return r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/virtualmachines")
		},
		Status: http.StatusInternalServerError,
	})
	t.Cleanup(made)
	create(t, newPool("halted", 1))
	eventually(t, "halted", "the member to say that its VM isn't made", 30*time.Second,
		memberReports(1, v1alpha1.NodeVMReady, v1alpha1.ReasonCreateFailed, ""))
	reported(t, "halted", "CreateFailed", "The VM could not be made")
	lift := comeUnderQuota(t)
	made()
	const words = "exceeded quota: default"
	eventually(t, "halted", "the member to say that it is halted", time.Minute,
		memberReports(1, v1alpha1.NodeVMReady, v1alpha1.ReasonVMAboveQuota, words))
	eventually(t, "halted", "the pool to say so", 15*time.Second,
		both(reports(v1alpha1.PoolScalingOut, v1alpha1.ReasonVMAboveQuota, words),
			reports(v1alpha1.PoolReady, v1alpha1.ReasonVMAboveQuota, words)))
	reported(t, "halted", "VMUnschedulable", words)
	lift()
	eventually(t, "halted", "the pool to settle", 2*time.Minute, allReady(1))
	reported(t, "halted", "VMStarted", "")
}

// comeUnderQuota gives the namespace less than one VM needs, as Rancher does with a namespace that is moved into a
// project with a quota.
func comeUnderQuota(t *testing.T) (lift func()) {
	t.Helper()
	annotate := func(ctx context.Context, limit string) error {
		namespace := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: fixtures.Namespace}}
		patch := fmt.Appendf(nil, `{"metadata":{"annotations":{"field.cattle.io/resourceQuota":%s}}}`, limit)
		return w.Client.Patch(ctx, namespace, client.RawPatch(types.MergePatchType, patch))
	}
	quota := &corev1.ResourceQuota{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fixtures.Namespace, Name: "default",
			Labels: map[string]string{"resourcequota.management.cattle.io/default-resource-quota": "true"},
		},
		Spec: corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceLimitsCPU: resource.MustParse("1")}},
	}
	lift = sync.OnceFunc(func() {
		_ = w.Client.Delete(context.Background(), quota)
		if err := annotate(context.Background(), "null"); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(lift)
	// In this order: once there is a ResourceQuota, Harvester refuses limits below what is in use.
	if err := annotate(t.Context(), `"{\"limit\":{\"limitsCpu\":\"1\"}}"`); err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Create(t.Context(), quota); err != nil {
		t.Fatal(err)
	}
	// Kubernetes counts what is in use before anybody can hold a VM to it, and Harvester looks at a new VM once.
	ctx, cancel := context.WithTimeout(t.Context(), slack*30*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, poll, "the quota to be counted", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(quota), quota); err != nil {
			return err
		}
		if _, counted := quota.Status.Used[corev1.ResourceLimitsCPU]; !counted {
			return fmt.Errorf("its status is %+v", quota.Status)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lift
}
