package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/hack/uicheck/checklist"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
	"github.com/nomad-harvester/nomad-harvester/test/templates"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	matrixNamespace = "nomad-matrix"
	matrixPoolUID   = "5f0c9c5e-6a0e-4a55-8d11-2f1f6d2f0a11"
	// atOnce is how many requests the matrix has under way.
	atOnce = 8
)

// made is a member of the matrix.
type made struct {
	member blueprint.Member
	out    *render.Objects
	facts  blueprint.Facts
}

// Whatever a template asks for within its rules is accepted by Harvester's and KubeVirt's own admission, gets its
// claims from Harvester's controller, is started by KubeVirt's, and is then still what Harvester's UI wants. Half of
// them are deleted in Harvester's way: their claims go, and those of the others stay.
//
// So many VMs at once leave nothing of the control planes for tests beside them.
func TestTemplateMatrix(t *testing.T) {
	// A Nomad client in each guest would be nothing but load.
	t.Cleanup(w.Hypervisor.GuestNeverJoins(func(vm types.NamespacedName) bool { return vm.Namespace == matrixNamespace }))
	createObject(t, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: matrixNamespace}})
	all := makeMatrix(t)
	if len(all) < 60 {
		t.Fatalf("only %d templates", len(all))
	}
	awaitAll(t, all, "VMs to run", vmRuns)
	each(t, all, func(m made) error { return passesChecklist(t.Context(), m) })
	awaitAll(t, all, "claims to be bound", claimsBound)

	gone, stay := all[:len(all)/2], all[len(all)/2:]
	each(t, gone, func(m made) error { return deleteLikeHarvester(t.Context(), m) })
	awaitAll(t, gone, "VMs and claims to go", vmAndClaimsGone)
	each(t, stay, func(m made) error { return claimsBound(t.Context(), m) })
	each(t, stay, func(m made) error { return deleteLikeHarvester(t.Context(), m) })
	awaitAll(t, stay, "VMs and claims to go", vmAndClaimsGone)
}

// makeMatrix creates Secrets and VMs, in this order, as the controller does.
func makeMatrix(t *testing.T) []made {
	t.Helper()
	wanted := templates.All()
	var all []made
	for i, name := range slices.Sorted(maps.Keys(wanted)) {
		m := blueprint.Member{
			Namespace: matrixNamespace, Name: name, PoolName: "matrix", PoolUID: matrixPoolUID,
			NodeID: fmt.Sprintf("%08x-0000-4000-8000-000000000000", i+1), Template: wanted[name],
			Client: v1alpha1.NomadClient{Servers: []string{"10.0.0.10"}},
		}
		m.Revision = blueprint.Revision(&m.Template, &m.Client, "")
		facts, err := preflight.Gather(t.Context(), w.Client, matrixNamespace, &m.Template, &m.Client)
		if err != nil {
			t.Fatal(err)
		}
		out, err := render.Member(m, facts)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all = append(all, made{m, out, facts})
	}
	each(t, all, func(m made) error {
		if err := w.Client.Create(t.Context(), m.out.Secret.DeepCopy()); err != nil {
			return err
		}
		vm := m.out.VM.DeepCopy()
		vm.Annotations[v1alpha1.AllowDeleteAnnotation] = "yes"
		return w.Client.Create(t.Context(), vm)
	})
	return all
}

// each does something with all members, some at a time, and fails the test with the names of those with which it can't.
func each(t *testing.T, all []made, do func(made) error) {
	t.Helper()
	var g errgroup.Group
	g.SetLimit(atOnce)
	failed := make([]error, len(all))
	for i, m := range all {
		g.Go(func() error {
			failed[i] = do(m)
			return nil
		})
	}
	_ = g.Wait()
	for i, err := range failed {
		if err != nil {
			t.Errorf("%s: %v", all[i].member.Name, err)
		}
	}
	if t.Failed() {
		t.FailNow()
	}
}

func awaitAll(t *testing.T, all []made, what string, check func(context.Context, made) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	began := time.Now()
	defer func() { t.Logf("waited for %d %s for %s", len(all), what, time.Since(began).Round(time.Second)) }()
	each(t, all, func(m made) error {
		return process.WaitFor(ctx, 500*time.Millisecond, what, func(ctx context.Context) error { return check(ctx, m) })
	})
}

func vmRuns(ctx context.Context, m made) error {
	vm := &kubevirtv1.VirtualMachine{}
	if err := w.Client.Get(ctx, client.ObjectKeyFromObject(m.out.VM), vm); err != nil {
		return err
	}
	if vm.Status.PrintableStatus != kubevirtv1.VirtualMachineStatusRunning {
		return fmt.Errorf("it is %q: %v", vm.Status.PrintableStatus, vm.Status.Conditions)
	}
	return nil
}

// passesChecklist goes through the list for the VM as admission has left it.
func passesChecklist(ctx context.Context, m made) error {
	s := checklist.Subject{VM: &kubevirtv1.VirtualMachine{}, Secret: &corev1.Secret{}, PoolUID: matrixPoolUID, Live: true,
		Images: map[string]checklist.Image{}}
	if err := w.Client.Get(ctx, client.ObjectKeyFromObject(m.out.VM), s.VM); err != nil {
		return err
	}
	if err := w.Client.Get(ctx, client.ObjectKeyFromObject(m.out.Secret), s.Secret); err != nil {
		return err
	}
	for name, image := range m.facts.Images {
		s.Images[name] = checklist.Image{StorageClassName: image.StorageClassName, VirtualSize: image.VirtualSize}
	}
	var wrong []string
	for _, row := range checklist.Check(s) {
		if row.Wrong != "" {
			wrong = append(wrong, row.Demand+": "+row.Wrong)
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("not as Harvester wants it: %s", strings.Join(wrong, "; "))
	}
	return nil
}

// claimsBound is satisfied when a member has the claims that it was to get, with the sizes of its disks and our marks.
func claimsBound(ctx context.Context, m made) error {
	for i, name := range m.out.Claims {
		claim := &corev1.PersistentVolumeClaim{}
		if err := w.Client.Get(ctx, client.ObjectKey{Namespace: matrixNamespace, Name: name}, claim); err != nil {
			return err
		}
		disk := m.member.Template.Disks[i]
		if size := claim.Spec.Resources.Requests.Storage(); size.Cmp(disk.Size) != 0 ||
			claim.Labels[v1alpha1.NodeLabel] != m.member.Name {
			return fmt.Errorf("claim %s has %v, labels %v", name, size, claim.Labels)
		}
		if claim.Status.Phase != corev1.ClaimBound || claim.DeletionTimestamp != nil {
			return fmt.Errorf("claim %s is %s, deleted %v", name, claim.Status.Phase, claim.DeletionTimestamp)
		}
	}
	return nil
}

// deleteLikeHarvester lists the claims to be removed and deletes the VM, as Harvester's UI does.
func deleteLikeHarvester(ctx context.Context, m made) error {
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{"annotations": map[string]string{
		"harvesterhci.io/removedPersistentVolumeClaims": strings.Join(m.out.Claims, ","),
	}}})
	if err != nil {
		return err
	}
	vm := m.out.VM.DeepCopy()
	if err := w.Client.Patch(ctx, vm, client.RawPatch(types.MergePatchType, patch)); err != nil {
		return err
	}
	return w.Client.Delete(ctx, vm)
}

func vmAndClaimsGone(ctx context.Context, m made) error {
	objects := []client.Object{m.out.VM.DeepCopy()}
	for _, name := range m.out.Claims {
		objects = append(objects,
			&corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: matrixNamespace, Name: name}})
	}
	for _, o := range objects {
		switch err := w.Client.Get(ctx, client.ObjectKeyFromObject(o), o); {
		case err == nil:
			return fmt.Errorf("%T %s is still there", o, o.GetName())
		case !apierrors.IsNotFound(err):
			return err
		}
	}
	return nil
}
