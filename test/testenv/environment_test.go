package testenv_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	nomadapi "github.com/hashicorp/nomad/api"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

var shared *testenv.Environment

func TestMain(m *testing.M) {
	options := testenv.Options{Progress: os.Stderr, ACL: true, ShutdownDelay: 300 * time.Millisecond}
	os.Exit(testenv.Main(m, options, func(w *testenv.Environment) { shared = w }))
}

const timeout = 60 * time.Second

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := process.WaitFor(ctx, 100*time.Millisecond, what, check); err != nil {
		for _, e := range shared.Hypervisor.Trace() {
			t.Logf("%+v", e)
		}
		t.Fatal(err)
	}
}

// createVM creates the Secret and the VM of testdata/vm.yaml, as the UI would, and removes both at the end.
func createVM(t *testing.T, w *testenv.Environment, name string) (vm *kubevirtv1.VirtualMachine, nodeID string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "vm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	nodeID = uuid.NewString()
	servers := "127.0.0.1:1"
	if w.NomadServer != nil {
		servers = w.NomadServer.RPCAddr
	}
	text := strings.NewReplacer("NAME", name, "NODE_ID", nodeID, "NOMAD_RPC", servers).Replace(string(b))
	objects, err := kube.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range objects {
		if err := w.Client.Create(t.Context(), o); err != nil {
			t.Fatalf("create %s %s: %v", o.GetKind(), o.GetName(), err)
		}
		t.Cleanup(func() { _ = w.Client.Delete(context.Background(), o) })
	}
	vm = &kubevirtv1.VirtualMachine{}
	vm.Namespace, vm.Name = fixtures.Namespace, name
	return vm, nodeID
}

func waitRunning(t *testing.T, w *testenv.Environment, vm *kubevirtv1.VirtualMachine) {
	t.Helper()
	eventually(t, "VM "+vm.Name+" to run", func(ctx context.Context) error {
		if err := w.Client.Get(ctx, client.ObjectKeyFromObject(vm), vm); err != nil {
			return err
		}
		if vm.Status.PrintableStatus != kubevirtv1.VirtualMachineStatusRunning {
			return fmt.Errorf("VM is %q: %v", vm.Status.PrintableStatus, vm.Status.Conditions)
		}
		return nil
	})
}

func waitReady(t *testing.T, w *testenv.Environment, nodeID string) {
	t.Helper()
	eventually(t, "the Nomad node", func(ctx context.Context) error {
		node, _, err := w.Nomad.Nodes().Info(nodeID, (&nomadapi.QueryOptions{}).WithContext(ctx))
		if err != nil {
			return err
		}
		if node.Status != nomadapi.NodeStatusReady {
			return fmt.Errorf("node is %s", node.Status)
		}
		return nil
	})
}

func claims(ctx context.Context, w *testenv.Environment, vm string) ([]corev1.PersistentVolumeClaim, error) {
	var list corev1.PersistentVolumeClaimList
	err := w.Client.List(ctx, &list, client.InNamespace(fixtures.Namespace), client.MatchingLabels{"testenv/vm": vm})
	return list.Items, err
}

func expectGone(err error) error {
	switch {
	case err == nil:
		return errors.New("still there")
	case apierrors.IsNotFound(err):
		return nil
	default:
		return err
	}
}

func TestVMRunsJoinsNomadAndGoesWithItsDisks(t *testing.T) {
	w := shared
	vm, nodeID := createVM(t, w, "whole-life")
	waitRunning(t, w, vm)

	if vm.Spec.Template.Spec.Domain.Resources.Requests.Memory().IsZero() {
		t.Error("Harvester's mutating webhook hasn't set memory requests")
	}
	pvcs, err := claims(t.Context(), w, vm.Name)
	if err != nil || len(pvcs) != 2 {
		t.Fatalf("%d claims (%v), want 2", len(pvcs), err)
	}
	for _, pvc := range pvcs {
		if pvc.Status.Phase != corev1.ClaimBound {
			t.Errorf("claim %s is %s", pvc.Name, pvc.Status.Phase)
		}
	}
	waitReady(t, w, nodeID)

	patch := client.RawPatch("application/merge-patch+json", []byte(
		`{"metadata":{"annotations":{"harvesterhci.io/removedPersistentVolumeClaims":"whole-life-disk-0,whole-life-disk-1"}}}`,
	))
	if err := w.Client.Patch(t.Context(), vm, patch); err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Delete(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end of the VM", func(ctx context.Context) error {
		return expectGone(w.Client.Get(ctx, client.ObjectKeyFromObject(vm), vm))
	})
	eventually(t, "the end of its claims", func(ctx context.Context) error {
		if pvcs, err := claims(ctx, w, vm.Name); err != nil || len(pvcs) > 0 {
			return errors.Join(fmt.Errorf("%d claims left", len(pvcs)), err)
		}
		return nil
	})
	for _, g := range w.Hypervisor.Guests() {
		if g.VM.Name == vm.Name && g.Running {
			t.Errorf("guest %v outlives its VM", g)
		}
	}
}

func TestHarvesterRefusesAMissingNetwork(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("testdata", "vm.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	objects, err := kube.Decode(
		[]byte(strings.NewReplacer("NAME", "no-network", "vlan-120", "vlan-999").Replace(string(b))))
	if err != nil {
		t.Fatal(err)
	}
	vm := objects[1]
	if err := shared.Client.Create(t.Context(), vm); err == nil || !strings.Contains(err.Error(), "vlan-999") {
		t.Errorf("creating a VM on a network that doesn't exist: %v", err)
	}
}
