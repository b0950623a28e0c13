package kube

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ParseNamespaces reads names of namespaces that are separated by commas.
func ParseNamespaces(text string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(text, ",") {
		name = strings.TrimSpace(name)
		if problems := validation.IsDNS1123Label(name); len(problems) > 0 {
			return nil, fmt.Errorf("%q is no name of a namespace: %s", name, strings.Join(problems, "; "))
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// ListIn lists the objects of some namespaces; without namespaces, those of all. The list must be empty before.
func ListIn(ctx context.Context, r client.Reader, namespaces []string, l client.ObjectList,
	opts ...client.ListOption) error {
	if len(namespaces) == 0 {
		return r.List(ctx, l, opts...)
	}
	var all []runtime.Object
	for _, namespace := range namespaces {
		some := l.DeepCopyObject().(client.ObjectList)
		if err := r.List(ctx, some, append(slices.Clip(opts), client.InNamespace(namespace))...); err != nil {
			return fmt.Errorf("namespace %s: %w", namespace, err)
		}
		items, err := meta.ExtractList(some)
		if err != nil {
			return err
		}
		all = append(all, items...)
	}
	return meta.SetList(l, all)
}
