package preflight

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

// Capacity is how many members the quotas of a namespace leave capacity for.
type Capacity struct {
	// Members is how many more members fit.
	Members int
	// Problem names the quota that leaves the least capacity.
	Problem condition.Problem
}

// need is what one member takes of a quota.
type need struct {
	resource corev1.ResourceName
	amount   resource.Quantity
	// field of the template on which it depends.
	field string
	// least: a member takes somewhat more than the amount, depending on KubeVirt.
	least bool
}

// ReadCapacity is for how many members of a template the quotas of the namespace have capacity; nil: they set no limit.
// The template must be complete.
//
// It reads only those limits whose excess nothing else reports. Harvester compares its quotas of cpu and memory with a
// VM only once it has a status, after it was admitted, and halts it (Harvester: pkg/util/resourcequota/calculator.go,
// CheckIfVMCanStartByResourceQuota); a claim above a quota is refused to Harvester, and its VM waits without a
// condition. The API server enforces other counts when the VM is made, with its own message. Rancher's limits of a
// namespace are a ResourceQuota as well, without which Harvester doesn't look at them. What Harvester's overcommit
// makes of requests isn't known here.
func ReadCapacity(ctx context.Context, r client.Reader, namespace string, t *v1alpha1.NodeTemplate,
	f blueprint.Facts) (*Capacity, error) {
	var quotas corev1.ResourceQuotaList
	if err := r.List(ctx, &quotas, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("listing the quotas of namespace %s: %w", namespace, err)
	}
	var capacity *Capacity
	for _, q := range quotas.Items {
		if len(q.Spec.Scopes) > 0 || q.Spec.ScopeSelector != nil {
			continue // It isn't known whether it counts a member.
		}
		for _, n := range needs(t, f) {
			if members, limited := n.fits(q.Status); limited && (capacity == nil || members < capacity.Members) {
				capacity = &Capacity{Members: members, Problem: n.problem(q)}
			}
		}
	}
	return capacity, nil
}

func needs(t *v1alpha1.NodeTemplate, f blueprint.Facts) []need {
	storage := resource.NewQuantity(0, resource.BinarySI)
	for _, d := range t.Disks {
		storage.Add(d.Size)
	}
	claims := *resource.NewQuantity(int64(len(t.Disks)), resource.DecimalSI)
	const disks = "spec.template.disks"
	return append(classNeeds(t, f), []need{
		{corev1.ResourceLimitsCPU, resource.MustParse(strconv.Itoa(int(t.CPU))), "spec.template.cpu", false},
		{corev1.ResourceLimitsMemory, t.Memory, "spec.template.memory", true},
		{corev1.ResourceRequestsStorage, *storage, disks, false},
		{corev1.ResourcePersistentVolumeClaims, claims, disks, false},
		{"count/persistentvolumeclaims", claims, disks, false},
	}...)
}

// classQuota ends the names of a quota's resources that are counted by storage class (Kubernetes:
// pkg/quota/v1/evaluator/core/persistent_volume_claims.go, storageClassSuffix).
const classQuota = ".storageclass.storage.k8s.io/"

// classNeeds is what a member takes of the quotas of single storage classes, in the order of its disks.
func classNeeds(t *v1alpha1.NodeTemplate, f blueprint.Facts) []need {
	var needs []need
	for i, d := range t.Disks {
		class := f.ClassOf(d)
		same := func(other v1alpha1.Disk) bool { return f.ClassOf(other) == class }
		if class == "" || slices.ContainsFunc(t.Disks[:i], same) {
			continue
		}
		storage, claims := resource.NewQuantity(0, resource.BinarySI), int64(0)
		for _, other := range t.Disks[i:] {
			if same(other) {
				storage.Add(other.Size)
				claims++
			}
		}
		of := func(r corev1.ResourceName) corev1.ResourceName { return corev1.ResourceName(class) + classQuota + r }
		field := fmt.Sprintf("spec.template.disks[%d]", i)
		needs = append(needs,
			need{of(corev1.ResourceRequestsStorage), *storage, field, false},
			need{of(corev1.ResourcePersistentVolumeClaims), *resource.NewQuantity(claims, resource.DecimalSI), field, false})
	}
	return needs
}

// fits is how many times the need fits into what is left of a quota. It is false if the quota has no such limit, or its
// usage isn't known yet.
func (n need) fits(q corev1.ResourceQuotaStatus) (int, bool) {
	hard, limited := q.Hard[n.resource]
	used, known := q.Used[n.resource]
	if !limited || !known || n.amount.Sign() <= 0 {
		return 0, false
	}
	left := hard.DeepCopy()
	left.Sub(used)
	if left.Sign() <= 0 {
		return 0, true
	}
	return int(math.Floor(left.AsApproximateFloat64() / n.amount.AsApproximateFloat64())), true
}

// problem has no number in it that changes with the usage, so that the condition stays the same.
func (n need) problem(q corev1.ResourceQuota) condition.Problem {
	hard, least := q.Status.Hard[n.resource], ""
	if n.least {
		least = "at least "
	}
	return condition.Problem{Reason: v1alpha1.ReasonQuotaExceeded, Message: fmt.Sprintf(
		"%s: ResourceQuota %q allows %s %s in the namespace, of which too little is left: each new member needs %s%s (kubectl describe resourcequota -n %s %s shows what is used); raise the quota (if Rancher manages it, that of the project or namespace there), lower replicas, or make the template smaller",
		n.field,
		q.Name,
		n.resource,
		hard.String(),
		least,
		n.amount.String(),
		q.Namespace,
		q.Name,
	)}
}
