package kubetest

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// Start starts a real Kubernetes API server, stops it when the test ends, and lets install put into it what the test
// needs; nil: nothing. Both together may take the timeout; building programs that aren't cached yet isn't part of
// it.
func Start(t *testing.T, timeout time.Duration,
	install func(context.Context, *kube.ControlPlane) error) *kube.ControlPlane {
	t.Helper()
	paths, err := binaries.Ensure(t.Context(), os.Stderr, binaries.Etcd, binaries.KubeAPIServer,
		binaries.KubeControllerManager)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	cp, err := kube.Start(ctx, kube.Options{
		Etcd: paths[binaries.Etcd], APIServer: paths[binaries.KubeAPIServer],
		ControllerManager: paths[binaries.KubeControllerManager],
		Dir:               t.TempDir(),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := cp.Stop(); err != nil {
			t.Error(err)
		}
	})
	if install == nil {
		return cp
	}
	if err := install(ctx, cp); err != nil {
		t.Fatal(err)
	}
	return cp
}
