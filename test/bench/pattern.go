package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// pattern is a pool of one member that is ready, with its objects as the controller, KubeVirt and Harvester left
// them: the pattern for thousands.
type pattern struct {
	nomad, movedTo         string // the addresses at which controllers find Nomad, there and here
	pool, member, vm, inst *unstructured.Unstructured
}

// What the pattern is called. Its copies replace these names wherever they are, so they may not be in anything else.
const (
	patternPool   = "pattern-of-pools"
	largeNodePool = "of-thousands"
)

// makePattern lets the controller make a pool of one member and copies it, once it is ready.
func (b *bench) makePattern(ctx context.Context) (*pattern, error) {
	p, err := b.poolIn(ctx, patternPool, largeNodePool)
	if err != nil {
		return nil, err
	}
	if err := b.scale(ctx, p, 1); err != nil {
		return nil, err
	}
	if err := b.awaitReady(ctx, patternPool, 1); err != nil {
		return nil, err
	}
	s := &pattern{nomad: b.env.NomadAddr}
	if s.pool, err = b.read(ctx, v1alpha1.GroupVersion.WithKind("NomadNodePool"), patternPool); err != nil {
		return nil, err
	}
	// What the VM does is written later than that the member is ready.
	return s, b.await(ctx, "the pattern's member to say that its VM runs", func(ctx context.Context) error {
		var l v1alpha1.NomadNodeList
		if err := b.client.List(ctx, &l, ofPool(patternPool)...); err != nil || len(l.Items) != 1 {
			return errors.Join(err, fmt.Errorf("the pattern has %d members", len(l.Items)))
		}
		if status := l.Items[0].Status.VM; status.Status != "Running" || status.Address == "" {
			return fmt.Errorf("its status says %+v", status)
		}
		return s.readMember(ctx, b, l.Items[0].Name)
	})
}

func (s *pattern) readMember(ctx context.Context, b *bench, name string) (err error) {
	if s.member, err = b.read(ctx, memberKind, name); err != nil {
		return err
	}
	if s.vm, err = b.read(ctx, vmKind, name); err != nil {
		return err
	}
	s.inst, err = b.read(ctx, instanceKind, name)
	return err
}

func (b *bench) read(ctx context.Context, kind schema.GroupVersionKind, name string) (*unstructured.Unstructured,
	error) {
	o := &unstructured.Unstructured{}
	o.SetGroupVersionKind(kind)
	return o, b.client.Get(ctx, client.ObjectKey{Namespace: fixtures.Namespace, Name: name}, o)
}

// renames are what to put in the place of the pattern's names and IDs: old, new, old, new. The first that fits counts.
type renames []string

// of returns a copy with other names and IDs, to be made anew.
func (r renames) of(o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	text, err := json.Marshal(o.Object)
	if err != nil {
		return nil, err
	}
	out := &unstructured.Unstructured{}
	if err := out.UnmarshalJSON([]byte(strings.NewReplacer(r...).Replace(string(text)))); err != nil {
		return nil, err
	}
	for _, field := range []string{"uid", "resourceVersion", "creationTimestamp", "managedFields", "generation"} {
		unstructured.RemoveNestedField(out.Object, "metadata", field)
	}
	return out, nil
}

// uid is what the pattern's UID becomes.
func (r renames) uid(o *unstructured.Unstructured) types.UID {
	return types.UID(r[slices.Index(r, string(o.GetUID()))+1])
}
