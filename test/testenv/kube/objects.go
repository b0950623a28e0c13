package kube

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sync/errgroup"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// parallelWrites bounds concurrent requests of one Create: enough to keep a two-core API server busy.
const parallelWrites = 16

// Decode reads the objects of a YAML stream; empty documents are left out.
func Decode(stream []byte) ([]*unstructured.Unstructured, error) {
	var objects []*unstructured.Unstructured
	reader := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(document, &o.Object); err != nil {
			return nil, err
		}
		if len(o.Object) > 0 {
			objects = append(objects, o)
		}
	}
}

// DecodeDir reads the objects of all YAML files of a directory, in the order of the files' names.
// The error of a directory without any wraps fs.ErrNotExist.
func DecodeDir(dir string) ([]*unstructured.Unstructured, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no YAML files in %s: %w", dir, fs.ErrNotExist)
	}
	var all []*unstructured.Unstructured
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		objects, err := Decode(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		all = append(all, objects...)
	}
	return all, nil
}

// Create creates objects in parallel, with their status where they have one. Kinds whose CRD is only
// just being served are retried until the context ends.
func Create(ctx context.Context, c client.Client, objects ...*unstructured.Unstructured) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(parallelWrites)
	for _, o := range objects {
		g.Go(func() error {
			if err := create(ctx, c, o); err != nil {
				return fmt.Errorf("create %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
			}
			return nil
		})
	}
	return g.Wait()
}

func create(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	status, hasStatus := o.Object["status"]
	created := o.DeepCopy()
	err := retryUnserved(ctx, func(ctx context.Context) error { return c.Create(ctx, created) })
	if err != nil || !hasStatus {
		return err
	}
	created.Object["status"] = status
	err = c.Status().Update(ctx, created)
	if apierrors.IsNotFound(err) { // no status subresource: Create has stored the status already
		return nil
	}
	return err
}

// Apply applies objects one after the other, server-side and with force.
func Apply(ctx context.Context, c client.Client, owner string, objects ...*unstructured.Unstructured) error {
	for _, o := range objects {
		err := retryUnserved(ctx, func(ctx context.Context) error {
			return c.Apply(ctx, client.ApplyConfigurationFromUnstructured(o.DeepCopy()), client.FieldOwner(owner),
				client.ForceOwnership)
		})
		if err != nil {
			return fmt.Errorf("apply %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
		}
	}
	return nil
}

// retryUnserved repeats a request while the API server doesn't know the kind: a new CRD reaches
// discovery a moment after it is established.
func retryUnserved(ctx context.Context, do func(context.Context) error) error {
	var permanent error
	err := process.WaitFor(ctx, 100*time.Millisecond, "the kind to be served", func(ctx context.Context) error {
		err := do(ctx)
		if err != nil && !meta.IsNoMatchError(err) && !isUnknownResource(err) {
			permanent = err
			return nil
		}
		return err
	})
	return errors.Join(permanent, err)
}

// isUnknownResource tells "404 page not found", the answer for a kind that isn't served, from the 404 of
// an object or namespace that doesn't exist.
func isUnknownResource(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsNotFound(err) || !errors.As(err, &status) {
		return false
	}
	details := status.Status().Details
	return details == nil || details.Name == ""
}

// InstallCRDs creates CustomResourceDefinitions and waits until they are established.
func InstallCRDs(ctx context.Context, c client.Client, crds ...*unstructured.Unstructured) error {
	for _, crd := range crds {
		delete(crd.Object, "status") // generators leave an empty one in
	}
	if err := Create(ctx, c, crds...); err != nil {
		return err
	}
	return WaitEstablished(ctx, c, crds...)
}

// WaitEstablished waits until CustomResourceDefinitions are established.
func WaitEstablished(ctx context.Context, c client.Client, crds ...*unstructured.Unstructured) error {
	for _, crd := range crds {
		err := process.WaitFor(ctx, 50*time.Millisecond, "CRD "+crd.GetName(), func(ctx context.Context) error {
			live := &unstructured.Unstructured{}
			live.SetGroupVersionKind(crd.GroupVersionKind())
			if err := c.Get(ctx, client.ObjectKeyFromObject(crd), live); err != nil {
				return err
			}
			if !isTrue(live, "Established") {
				return errors.New("not established")
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func isTrue(o *unstructured.Unstructured, condition string) bool {
	conditions, _, _ := unstructured.NestedSlice(o.Object, "status", "conditions")
	for _, c := range conditions {
		m, _ := c.(map[string]any)
		if m["type"] == condition {
			return m["status"] == "True"
		}
	}
	return false
}
