package main

import (
	"context"
	"maps"
	"slices"

	"github.com/google/uuid"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
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
// corrects. Their Secrets and claims are left out: nobody reads these while a member neither comes nor goes.
func (s *pattern) load(ctx context.Context, in *testenv.Environment, name string, n int) (loaded, error) {
	l := loaded{name: name}
	p, err := renames{patternPool, name, s.nomad, s.movedTo}.of(s.pool)
	if err != nil {
		return l, err
	}
	if err := unstructured.SetNestedField(p.Object, int64(n), "spec", "replicas"); err != nil {
		return l, err
	}
	if err := in.Client.Create(ctx, p); err != nil {
		return l, err
	}
	l.uid = string(p.GetUID())
	byResource := map[string][]*unstructured.Unstructured{}
	for i := range n {
		m := loadedMember{name: pool.MemberName(name, l.uid, int64(i+1)), nodeID: uuid.NewString()}
		l.members = append(l.members, m)
		names := s.renamesOf(l, m)
		for resource, o := range s.parts() {
			made, err := names.of(o)
			if err != nil {
				return l, err
			}
			made.SetUID(names.uid(o))
			made.SetCreationTimestamp(o.GetCreationTimestamp())
			made.SetGeneration(o.GetGeneration())
			byResource[resource] = append(byResource[resource], made)
		}
	}
	for _, resource := range slices.Sorted(maps.Keys(byResource)) {
		if err := in.Kube.Preload(ctx, resource, byResource[resource]...); err != nil {
			return l, err
		}
	}
	return l, nil
}

// parts are what is copied of a member, by resource.
func (s *pattern) parts() map[string]*unstructured.Unstructured {
	return map[string]*unstructured.Unstructured{
		"nomadnodes": s.member, "virtualmachines": s.vm, "virtualmachineinstances": s.inst,
	}
}

// renamesOf are what make of the pattern's member a certain member of a pool.
func (s *pattern) renamesOf(l loaded, m loadedMember) renames {
	nodeID, _, _ := unstructured.NestedString(s.member.Object, "spec", "nodeID")
	names := renames{s.member.GetName(), m.name, nodeID, m.nodeID, nodeID[:8], m.nodeID[:8], patternPool, l.name,
		string(s.pool.GetUID()), l.uid, s.nomad, s.movedTo}
	for _, o := range s.parts() {
		names = append(names, string(o.GetUID()), uuid.NewString())
	}
	return names
}
