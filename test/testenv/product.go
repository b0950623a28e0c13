package testenv

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// Service accounts of the product, in fixtures.ProductNamespace.
const (
	ControllerServiceAccount = "nomad-harvester-controller"
	AutoscalerServiceAccount = "nomad-harvester-autoscaler"
)

// ConfigAs is the administrator's configuration for acting as a service account, which needn't exist.
func (w *Environment) ConfigAs(namespace, account string) *rest.Config {
	config := rest.CopyConfig(w.RESTConfig)
	config.Impersonate = rest.ImpersonationConfig{
		UserName: "system:serviceaccount:" + namespace + ":" + account,
		Groups:   []string{"system:serviceaccounts", "system:serviceaccounts:" + namespace, "system:authenticated"},
	}
	return config
}

// InstallProduct applies the kinds, the roles and, if there is one, the admission policy of this
// repository's config directory, and waits until the kinds are served. It does so once per environment.
func (w *Environment) InstallProduct(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.installed || w.options.Installed {
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
	if err := w.bindAutoscaler(ctx, root); err != nil {
		return err
	}
	w.installed = true
	return nil
}

// bindAutoscaler lets the autoscaler scale the pools of fixtures.Namespace, as the documentation says.
func (w *Environment) bindAutoscaler(ctx context.Context, root string) error {
	text, err := os.ReadFile(filepath.Join(root, "config", "autoscaler", "role_binding.yaml"))
	if err != nil {
		return fmt.Errorf("install nomad-harvester: %w", err)
	}
	objects, err := kube.Decode(text)
	if err != nil {
		return fmt.Errorf("install nomad-harvester: %w", err)
	}
	for _, o := range objects {
		o.SetNamespace(fixtures.Namespace)
	}
	return w.apply(ctx, objects)
}

// apply applies the objects in order; kustomizations are not objects.
func (w *Environment) apply(ctx context.Context, objects []*unstructured.Unstructured) error {
	objects = slices.DeleteFunc(objects, func(o *unstructured.Unstructured) bool { return o.GetKind() == "Kustomization" })
	if err := kube.Apply(ctx, w.Client, "nomad-harvester-install", objects...); err != nil {
		return fmt.Errorf("install nomad-harvester: %w", err)
	}
	return nil
}

// buildTimeout bounds the build of the product: minutes with an empty build cache.
const buildTimeout = 15 * time.Minute

// ProductBinary is the nomad-harvester program, built from this repository once per environment unless one is given.
func (w *Environment) ProductBinary(ctx context.Context) (string, error) {
	if given := cmp.Or(w.options.Product, os.Getenv("NOMAD_HARVESTER_PRODUCT")); given != "" {
		if _, err := os.Stat(given); err != nil { // go test notes the file, and runs the tests again when it changes
			return "", err
		}
		return filepath.Abs(given)
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
		if _, err := os.Stat(filepath.Join(dir, "test", "testenv", "product.go")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("the working directory is not inside the nomad-harvester repository")
		}
		dir = parent
	}
}
