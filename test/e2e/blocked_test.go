package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Guard rails hold a scale-in: nobody leaves within the stabilisation window, and then no more at a time than may.
func TestBlockedScaleInSaysWhy(t *testing.T) {
	t.Parallel()
	const window = 10 * time.Second
	create(t, newPool("slowly", 3, func(p *v1alpha1.NomadNodePool) {
		p.Spec.ScaleIn.MaxConcurrent = ptr.To[int32](1)
		p.Spec.ScaleIn.StabilizationWindow = &metav1.Duration{Duration: window}
	}))
	eventually(t, "slowly", "the pool to settle", time.Minute, allReady(3))
	batch(t, "slowly", "slowly-batch", 3, forever) // so that who leaves takes its time
	if err := scale(t, "slowly", 1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "slowly", "the window to be told", window/2,
		both(reports(v1alpha1.PoolScalingIn, v1alpha1.ReasonStabilizationWindow), requested(v1alpha1.DrainScaleIn, 0)))
	eventually(t, "slowly", "one member to leave", window+30*time.Second,
		both(reports(v1alpha1.PoolScalingIn, v1alpha1.ReasonMaxConcurrent), requested(v1alpha1.DrainScaleIn, 1)))
	p, nodes, err := read(t.Context(), "slowly")
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.Spec.Drain != nil && n.Spec.Drain.RequestTime.Sub(p.Status.LastScale.ScaleTime.Time) < window {
			t.Errorf("%s was ordered to leave at %s, within %s of the change of replicas at %s", n.Name,
				n.Spec.Drain.RequestTime, window, p.Status.LastScale.ScaleTime)
		}
	}
	stays(t, "slowly", "only one leaves", 3*time.Second, requested(v1alpha1.DrainScaleIn, 1))
	if _, _, err := w.Nomad.Jobs().Deregister("slowly-batch", false, nil); err != nil {
		t.Fatal(err)
	}
	eventually(t, "slowly", "both to have left", time.Minute, allReady(1))
	onlyMembersLeft(t, "slowly")
}

// A rollout that can't go on says what blocks it, and goes on when that is over.
func TestBlockedRolloutSaysWhy(t *testing.T) {
	t.Parallel()
	create(t, newPool("waits", 1, ofGeneration("first")))
	eventually(t, "waits", "the pool to settle", time.Minute, allReady(1))
	old := members(t, "waits")[0]

	annotate(t, old, v1alpha1.ProtectAnnotation, `""`)
	change(t, "waits", ofGeneration("second"))
	eventually(t, "waits", "the protection to be told", 30*time.Second,
		reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonAllProtected, v1alpha1.ProtectAnnotation))
	rests(t, "waits", time.Second)

	change(t, "waits", credentials("missing"))
	eventually(t, "waits", "Nomad to be unknown", 30*time.Second,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials))
	annotate(t, old, v1alpha1.ProtectAnnotation, "null")
	eventually(t, "waits", "an unknown Nomad to be told", 30*time.Second,
		reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonNomadUnknown))
	eventually(t, "waits", "the old member to stay", 30*time.Second, lasts(time.Second, hasNoOrder(old.Name)))

	change(t, "waits", func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.CredentialsSecretRef = nil
		p.Spec.Template.VirtualMachine = &runtime.RawExtension{
			Raw: []byte(`{"template":{"spec":{"evictionStrategy":"Sometimes"}}}`),
		}
	})
	eventually(t, "waits", "the refusal to be told", 30*time.Second,
		reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonAdmissionDenied, "unrecognized option: Sometimes"))
	eventually(t, "waits", "the old member to stay", 30*time.Second, lasts(time.Second, hasNoOrder(old.Name)))

	change(t, "waits", func(p *v1alpha1.NomadNodePool) { p.Spec.Template.VirtualMachine = nil })
	eventually(t, "waits", "the rollout to end", time.Minute, both(rolledOut(1), without(old.Name)))
	onlyMembersLeft(t, "waits")
}

// What keeps even the NomadNode of a member from being made is reported in the words of whoever refuses it, and heals.
func TestRefusedNomadNodeIsReported(t *testing.T) {
	t.Parallel()
	policy := decode(t, noNomadNodes)
	if err := kube.Create(t.Context(), w.Client, policy...); err != nil {
		t.Fatal(err)
	}
	p := newPool("unrecorded", 1)
	node := &v1alpha1.NomadNode{
		ObjectMeta: metav1.ObjectMeta{Namespace: p.Namespace, Name: "unrecorded-0"},
		Spec: v1alpha1.NomadNodeSpec{
			PoolName: p.Name, PoolUID: "a-pool", NodeID: "11111111-0000-4000-8000-000000000002", Revision: "r",
			Nomad: p.Spec.Nomad, Template: p.Spec.Template,
		},
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	controller := as(t, fixtures.ProductNamespace, testenv.ControllerServiceAccount)
	err := process.WaitFor(ctx, poll, "the policy to be in force", func(ctx context.Context) error {
		if err := controller.Create(ctx, node.DeepCopy(), client.DryRunAll); err == nil ||
			!strings.Contains(err.Error(), "not here") {
			return fmt.Errorf("it isn't: %w", err)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	create(t, p)
	eventually(t, "unrecorded", "the refusal to be told", 30*time.Second, both(
		reports(v1alpha1.PoolScalingOut, v1alpha1.ReasonCreateFailed, "not here"),
		reports(v1alpha1.PoolReady, v1alpha1.ReasonCreateFailed, "not here")))
	reported(t, "unrecorded", "CreateFailed", "not here")
	if err := w.Client.Delete(t.Context(), policy[1]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "unrecorded", "the pool to heal", time.Minute, allReady(1))
}

const noNomadNodes = `
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicy
metadata: {name: no-records}
spec:
  matchConstraints:
    resourceRules: [{apiGroups: [nomad.harvesterhci.io], apiVersions: ["*"], operations: [CREATE],
      resources: [nomadnodes]}]
  validations: [{expression: "object.spec.poolName != 'unrecorded'", message: not here}]
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingAdmissionPolicyBinding
metadata: {name: no-records}
spec: {policyName: no-records, validationActions: [Deny]}
`

// hasNoOrder is satisfied while a member isn't to leave.
func hasNoOrder(name string) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if reason, there := orders(nodes)[name]; !there || reason != "" {
			return fmt.Errorf("%s is to leave or is gone: %v", name, orders(nodes))
		}
		return nil
	}
}

// annotate sets an annotation of a member to a JSON string, or takes it off by null.
func annotate(t *testing.T, n v1alpha1.NomadNode, key, value string) {
	t.Helper()
	patch := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:%s}}}`, key, value)
	if err := w.Client.Patch(t.Context(), &v1alpha1.NomadNode{ObjectMeta: nameOf(n)},
		client.RawPatch(types.MergePatchType, patch)); err != nil {
		t.Fatal(err)
	}
}
