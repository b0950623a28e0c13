package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// pattern is a pool of one member that is ready, and all its objects as the controller, KubeVirt and Harvester left
// them: the pattern for thousands.
type pattern struct {
	nomad, movedTo                 string // the addresses at which controllers find Nomad, there and here
	pool, member, secret, vm, inst *unstructured.Unstructured
	claims                         []*unstructured.Unstructured
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
	sleep(ctx, restTime) // words of a status are written later than what can be acted on
	s := &pattern{nomad: b.env.NomadAddr}
	if s.pool, err = b.read(ctx, v1alpha1.GroupVersion.WithKind("NomadNodePool"), patternPool); err != nil {
		return nil, err
	}
	var l v1alpha1.NomadNodeList
	if err := b.client.List(ctx, &l, ofPool(patternPool)...); err != nil || len(l.Items) != 1 {
		return nil, errors.Join(err, fmt.Errorf("the pattern has %d members", len(l.Items)))
	}
	return s, s.readMember(ctx, b, &l.Items[0])
}

func (s *pattern) readMember(ctx context.Context, b *bench, n *v1alpha1.NomadNode) error {
	core := corev1.SchemeGroupVersion
	var secrets corev1.SecretList
	if err := b.client.List(ctx, &secrets, client.InNamespace(fixtures.Namespace),
		client.MatchingLabels{v1alpha1.NodeLabel: n.Name}); err != nil || len(secrets.Items) != 1 {
		return errors.Join(err, fmt.Errorf("member %s has %d Secrets, not one", n.Name, len(secrets.Items)))
	}
	for _, o := range []struct {
		to   **unstructured.Unstructured
		kind schema.GroupVersionKind
		name string
	}{
		{&s.member, memberKind, n.Name},
		{&s.vm, vmKind, n.Name},
		{&s.inst, instanceKind, n.Name},
		{&s.secret, core.WithKind("Secret"), secrets.Items[0].Name},
	} {
		var err error
		if *o.to, err = b.read(ctx, o.kind, o.name); err != nil {
			return err
		}
	}
	for _, name := range n.Status.Claims {
		claim, err := b.read(ctx, core.WithKind("PersistentVolumeClaim"), name)
		if err != nil {
			return err
		}
		s.claims = append(s.claims, claim)
	}
	return nil
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
