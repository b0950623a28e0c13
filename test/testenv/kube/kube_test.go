package kube_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube/kubetest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const timeout = 60 * time.Second

func startControlPlane(t *testing.T) *kube.ControlPlane {
	t.Helper()
	return kubetest.Start(t, timeout, nil)
}

func eventually(t *testing.T, what string, check func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	if err := process.WaitFor(ctx, 50*time.Millisecond, what, check); err != nil {
		t.Fatal(err)
	}
}

func TestControlPlane(t *testing.T) {
	cp := startControlPlane(t)
	ctx := t.Context()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "demo"}}
	if err := cp.Client.Create(ctx, ns); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the default service account", func(ctx context.Context) error {
		return cp.Client.Get(ctx, client.ObjectKey{Namespace: "demo", Name: "default"}, &corev1.ServiceAccount{})
	})

	t.Run("garbage collection", func(t *testing.T) {
		owner := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "owner"}}
		if err := cp.Client.Create(ctx, owner); err != nil {
			t.Fatal(err)
		}
		owned := &corev1.ConfigMap{
			ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "owned", OwnerReferences: []metav1.OwnerReference{
				{APIVersion: "v1", Kind: "ConfigMap", Name: owner.Name, UID: owner.UID}}},
		}
		if err := cp.Client.Create(ctx, owned); err != nil {
			t.Fatal(err)
		}
		if err := cp.Client.Delete(ctx, owner); err != nil {
			t.Fatal(err)
		}
		eventually(t, "the end of the owned object", func(ctx context.Context) error {
			return expectGone(cp.Client.Get(ctx, client.ObjectKeyFromObject(owned), &corev1.ConfigMap{}))
		})
	})

	t.Run("preload", func(t *testing.T) { preload(t, cp) })

	t.Run("service account", func(t *testing.T) {
		file, err := cp.KubeconfigFor(ctx, "demo", "default")
		if err != nil {
			t.Fatal(err)
		}
		config, err := clientcmd.BuildConfigFromFlags("", file)
		if err != nil {
			t.Fatal(err)
		}
		c, err := client.New(config, client.Options{Mapper: cp.Client.RESTMapper()})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.List(ctx, &corev1.SecretList{}); !apierrors.IsForbidden(err) {
			t.Errorf("listing Secrets as demo/default: %v, want forbidden", err)
		}
	})

	t.Run("restart", func(t *testing.T) {
		if err := cp.APIServer.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cp.Etcd.Kill(); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*process.Service{cp.Etcd, cp.APIServer, cp.ControllerManager} {
			if err := s.Restart(ctx); err != nil {
				t.Fatal(err)
			}
		}
		if err := cp.Client.Get(ctx, client.ObjectKeyFromObject(ns), ns); err != nil {
			t.Errorf("after a crash of etcd and the API server: %v", err)
		}
	})
}

func expectGone(err error) error {
	switch {
	case err == nil:
		return errors.New("still there")
	case apierrors.IsNotFound(err):
		return nil
	default:
		return fmt.Errorf("reading it: %w", err)
	}
}

func TestStartFailureQuotesTheLog(t *testing.T) {
	_, err := kube.Start(t.Context(), kube.Options{Etcd: "/bin/false", Dir: t.TempDir()})
	if err == nil {
		t.Fatal("a control plane without etcd came up")
	}
	for _, want := range []string{"etcd", "exit status 1"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q lacks %q", err, want)
		}
	}
}
