package harvester

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// Namespace is Harvester's own.
const Namespace = "harvester-system"

// Start runs harvester-lite as Harvester's service account and waits until its webhooks are registered.
// All CRDs that Harvester knows must be there already (see CRDs), and so must the namespace.
func Start(ctx context.Context, cp *kube.ControlPlane, program, dir string) (*process.Service, error) {
	account, err := kube.Decode(fmt.Appendf(nil, `
apiVersion: v1
kind: ServiceAccount
metadata: {name: harvester, namespace: %[1]s}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: harvester}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects: [{kind: ServiceAccount, name: harvester, namespace: %[1]s}]
`, Namespace))
	if err != nil {
		return nil, fmt.Errorf("harvester: %w", err)
	}
	if err := kube.Create(ctx, cp.Client, account...); err != nil {
		return nil, fmt.Errorf("harvester: %w", err)
	}
	kubeconfig, err := cp.KubeconfigFor(ctx, Namespace, "harvester")
	if err != nil {
		return nil, fmt.Errorf("harvester: %w", err)
	}
	port, err := process.FreePort()
	if err != nil {
		return nil, fmt.Errorf("harvester: %w", err)
	}
	ready := filepath.Join(dir, "harvester-lite.ready")
	s := &process.Service{
		Spec: process.Spec{Name: "harvester-lite", Path: program, LogFile: cp.LogFile("harvester-lite"), Args: []string{
			"--kubeconfig=" + kubeconfig,
			"--namespace=" + Namespace,
			fmt.Sprintf("--listen=127.0.0.1:%d", port),
			"--ready-file=" + ready,
			"--fake-provisioner",
		}},
		Prepare: func(context.Context) error { return forget(ready) },
		Ready: func(context.Context) error {
			_, err := os.Stat(ready)
			return err
		},
	}
	if err := s.Start(ctx); err != nil {
		return nil, fmt.Errorf("harvester: %w", err)
	}
	return s, nil
}

// forget removes the mark of an earlier life.
func forget(readyFile string) error {
	if err := os.Remove(readyFile); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// CRDs reads the definitions of Harvester's chart and adds stubs for the kinds of other projects that
// Harvester watches. Names in have are left out.
func CRDs(chartDir string, have []*unstructured.Unstructured) ([]*unstructured.Unstructured, error) {
	seen := map[string]bool{}
	for _, crd := range have {
		seen[crd.GetName()] = true
	}
	all, err := kube.DecodeDir(chartDir)
	if err != nil {
		return nil, fmt.Errorf("harvester: %w", err)
	}
	var out []*unstructured.Unstructured
	for _, crd := range append(all, stubs()...) {
		if crd.GetKind() == "CustomResourceDefinition" && !seen[crd.GetName()] {
			seen[crd.GetName()] = true
			out = append(out, crd)
		}
	}
	return out, nil
}
