package world

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/nomad-harvester/nomad-harvester/test/world/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/world/kube"
)

// Service accounts of the product, in fixtures.ProductNamespace.
const (
	ControllerServiceAccount = "nomad-harvester-controller"
	AutoscalerServiceAccount = "nomad-harvester-autoscaler"
)

// InstallProduct applies the kinds, the roles and, if there is one, the admission policy of this
// repository's config directory, and waits until the kinds are served. It does so once per world.
func (w *World) InstallProduct(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.installed {
		return nil
	}
	root, err := repositoryRoot()
	if err != nil {
		return err
	}
	crds, err := kube.DecodeDir(filepath.Join(root, "config", "crd", "bases"))
	if err != nil {
		return fmt.Errorf("install nomad-harvester: %w", err)
	}
	if err := w.apply(ctx, crds); err != nil {
		return err
	}
	if err := kube.WaitEstablished(ctx, w.Client, crds...); err != nil {
		return fmt.Errorf("install nomad-harvester: %w", err)
	}
	for _, part := range []string{"rbac", "admission"} {
		objects, err := kube.DecodeDir(filepath.Join(root, "config", part))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return fmt.Errorf("install nomad-harvester: %w", err)
		}
		if err := w.apply(ctx, objects); err != nil {
			return err
		}
	}
	w.installed = true
	return nil
}

// apply does what kustomize would: it leaves out kustomizations and puts all else into the product's namespace.
func (w *World) apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	for _, o := range objects {
		if o.GetKind() == "Kustomization" {
			continue
		}
		if err := w.adopt(o); err != nil {
			return fmt.Errorf("install nomad-harvester: %w", err)
		}
		if err := kube.Apply(ctx, w.Client, "nomad-harvester-install", o); err != nil {
			return fmt.Errorf("install nomad-harvester: %w", err)
		}
	}
	return nil
}

// adopt sets the namespace of an object and of the service accounts it binds.
func (w *World) adopt(o *unstructured.Unstructured) error {
	namespaced, err := w.Client.IsObjectNamespaced(o)
	if err != nil {
		return err
	}
	if namespaced && o.GetNamespace() == "" {
		o.SetNamespace(fixtures.ProductNamespace)
	}
	subjects, _, err := unstructured.NestedSlice(o.Object, "subjects")
	if err != nil || len(subjects) == 0 {
		return err
	}
	for _, s := range subjects {
		if subject, ok := s.(map[string]any); ok && subject["kind"] == "ServiceAccount" {
			subject["namespace"] = fixtures.ProductNamespace
		}
	}
	return unstructured.SetNestedSlice(o.Object, subjects, "subjects")
}

// buildTimeout bounds the build of the product: minutes with an empty build cache.
const buildTimeout = 15 * time.Minute

// productBinary is the nomad-harvester program, built from this repository once per world.
func (w *World) productBinary(ctx context.Context) (string, error) {
	if w.options.Product != "" {
		return filepath.Abs(w.options.Product)
	}
	w.build.Do(func() {
		w.buildErr = w.step("build of nomad-harvester", func() (err error) {
			w.product, err = buildProduct(ctx, filepath.Join(w.Dir, "nomad-harvester"))
			return err
		})
	})
	return w.product, w.buildErr
}

func buildProduct(ctx context.Context, file string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	root, err := repositoryRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "go", "build", "-o", file, ".")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build nomad-harvester: %w\n%s", err, out)
	}
	return file, nil
}

// repositoryRoot finds the module of this repository above the working directory.
func repositoryRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "test", "world", "product.go")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not inside the nomad-harvester repository")
		}
		dir = parent
	}
}
