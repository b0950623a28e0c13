package main

import (
	"context"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// loaded is a pool of copies of the pattern.
type loaded struct {
	name, uid string
	members   []loadedMember
}

type loadedMember struct{ name, nodeID string }

// meta is what a member's guest says of itself in Nomad.
func (l loaded) meta(m loadedMember) map[string]string {
	return map[string]string{nomad.MetaPoolUID: l.uid, nomad.MetaPool: l.name, nomad.MetaMember: m.name}
}

// names are those of the first n members.
func (l loaded) names(n int) []string {
	var out []string
	for _, m := range l.members[:n] {
		out = append(out, m.name)
	}
	return out
}

// load writes a pool and its members, as they are when nothing is left to do, but for what the first reconcile of them
// corrects.
func (s *pattern) load(ctx context.Context, c client.Client, name string, n int) (loaded, error) {
	l := loaded{name: name, members: make([]loadedMember, n)}
	names := renames{patternPool, name, s.nomad, s.movedTo}
	p, err := names.of(s.pool)
	if err != nil {
		return l, err
	}
	if err := unstructured.SetNestedField(p.Object, int64(n), "spec", "replicas"); err != nil {
		return l, err
	}
	if err := s.create(ctx, c, p); err != nil {
		return l, err
	}
	l.uid = string(p.GetUID())
	return l, kube.InParallel(n, bareWriters, func(i int) error {
		m := loadedMember{name: pool.MemberName(name, l.uid, int64(i+1)), nodeID: uuid.NewString()}
		l.members[i] = m
		return s.loadMember(ctx, c, l, m)
	})
}

func (s *pattern) loadMember(ctx context.Context, c client.Client, l loaded, m loadedMember) error {
	nodeID, _, _ := unstructured.NestedString(s.member.Object, "spec", "nodeID")
	names := renames{s.member.GetName(), m.name, nodeID, m.nodeID, nodeID[:8], m.nodeID[:8], patternPool, l.name,
		string(s.pool.GetUID()), l.uid, s.nomad, s.movedTo}
	// The member's status names its VM, so it comes last; its Secret names its owner, so that comes after it.
	member, err := names.of(s.member)
	if err != nil {
		return err
	}
	if err := c.Create(ctx, member); err != nil {
		return err
	}
	names = append(names, string(s.member.GetUID()), string(member.GetUID()))
	for _, o := range append([]*unstructured.Unstructured{s.secret, s.vm, s.inst}, s.claims...) {
		made, err := names.of(o)
		if err != nil {
			return err
		}
		if err := s.create(ctx, c, made); err != nil {
			return err
		}
		names = append(names, string(o.GetUID()), string(made.GetUID()))
	}
	whole, err := names.of(s.member)
	if err != nil {
		return err
	}
	member.Object["status"] = whole.Object["status"]
	return c.Status().Update(ctx, member)
}

// create writes an object with its status, as a kind with a subresource for that needs it.
func (s *pattern) create(ctx context.Context, c client.Client, o *unstructured.Unstructured) error {
	status := o.Object["status"]
	if err := c.Create(ctx, o); err != nil || equality.Semantic.DeepEqual(status, o.Object["status"]) {
		return err
	}
	o.Object["status"] = status
	return c.Status().Update(ctx, o)
}
