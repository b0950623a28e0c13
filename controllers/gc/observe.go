package gc

import (
	"bytes"
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// settling is how long a Nomad must have been healthy under one leader before a node that is down counts as such.
const settling = time.Minute

// scope is one look: what was read, and what was made of it.
type scope struct {
	orphan.Observed
	pools    map[string]*v1alpha1.NomadNodePool // by UID
	records  map[orphan.Key]*v1alpha1.NomadNode
	claims   map[orphan.Key]types.UID
	clusters map[orphan.Key]nomad.Cluster // of Nomad nodes
	down     []downNode
	unseen   []error // why Nomad nodes of some pools weren't looked at; their grace begins anew
}

// observe reads what carries marks before the records, and the records before the VMs. A member's record is made
// first and goes last, so what was read without one has none.
func (s *Sweeper) observe(ctx context.Context) (*scope, error) {
	o := &scope{
		Observed: orphan.Observed{
			Now: s.Clock.Now(), Pools: map[string]orphan.Pool{}, Members: map[orphan.Key]bool{}, NodeIDs: map[string]bool{},
			Machines: map[orphan.Key]bool{}, Mentioned: map[orphan.Key]bool{}},
		pools: map[string]*v1alpha1.NomadNodePool{}, records: map[orphan.Key]*v1alpha1.NomadNode{}, claims: map[orphan.Key]types.UID{}, clusters: map[orphan.Key]nomad.Cluster{},
	}
	for _, step := range []func(context.Context, *scope) error{
		s.observePools, s.observeClaims, s.observeVMs, s.observeMembers, s.observeNodes, s.observeMachines,
	} {
		if err := step(ctx, o); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (s *Sweeper) observePools(ctx context.Context, o *scope) error {
	var l v1alpha1.NomadNodePoolList
	if err := s.Live.List(ctx, &l); err != nil {
		return fmt.Errorf("listing the pools: %w", err)
	}
	for i := range l.Items {
		p := &l.Items[i]
		o.pools[string(p.UID)] = p
		o.Pools[string(p.UID)] = orphan.Pool{Paused: p.Spec.Paused,
			KeepsNodes: p.Spec.ScaleIn.Purge != nil && !*p.Spec.ScaleIn.Purge}
		link, err := s.Connections.Link(ctx, p, p.Spec.Nomad.NomadConnection)
		if err != nil {
			o.unseen = append(o.unseen, fmt.Errorf("pool %s/%s: %w", p.Namespace, p.Name, err))
			continue
		}
		settled := !link.View.RecoveredSince.IsZero() && !o.Now.Before(link.View.RecoveredSince.Add(settling))
		if !link.Known || !settled {
			continue
		}
		for id, n := range link.View.Nodes {
			if n.Status == nomad.NodeDown {
				o.down = append(o.down, downNode{p, link.Cluster, id})
			}
		}
	}
	return nil
}

func (s *Sweeper) observeClaims(ctx context.Context, o *scope) error {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaimList"))
	if err := s.Live.List(ctx, l, client.HasLabels{v1alpha1.PoolLabel, v1alpha1.NodeLabel}); err != nil {
		return fmt.Errorf("listing the claims of members: %w", err)
	}
	for _, c := range l.Items {
		member := c.Labels[v1alpha1.NodeLabel]
		secret, named := blueprint.SecretOfClaim(member, c.Name)
		if !named || c.DeletionTimestamp != nil {
			continue
		}
		key := orphan.Key{Namespace: c.Namespace, Name: c.Name}
		o.claims[key] = c.UID
		o.Resources = append(
			o.Resources,
			orphan.Resource{Kind: orphan.Claim, Key: key, Member: member, PoolUID: c.Annotations[v1alpha1.PoolUIDAnnotation],
				Secret: secret},
		)
	}
	return nil
}

// observeVMs reads the VMs of pools from the cache: they are only told of.
func (s *Sweeper) observeVMs(ctx context.Context, o *scope) error {
	var l kubevirtv1.VirtualMachineList
	if err := s.Client.List(ctx, &l, client.HasLabels{v1alpha1.PoolLabel}); err != nil {
		return fmt.Errorf("listing the VMs of pools: %w", err)
	}
	for i := range l.Items {
		vm := &l.Items[i]
		if uid := vm.Annotations[v1alpha1.PoolUIDAnnotation]; blueprint.IsMember(vm, vm.Labels[v1alpha1.PoolLabel], uid) &&
			vm.DeletionTimestamp == nil {
			o.Resources = append(
				o.Resources,
				orphan.Resource{Kind: orphan.VM, Key: orphan.Key{Namespace: vm.Namespace, Name: vm.Name}, Member: vm.Name,
					PoolUID: uid},
			)
		}
	}
	return nil
}

func (s *Sweeper) observeMembers(ctx context.Context, o *scope) error {
	var l v1alpha1.NomadNodeList
	if err := s.Live.List(ctx, &l); err != nil {
		return fmt.Errorf("listing the members: %w", err)
	}
	for i := range l.Items {
		n := &l.Items[i]
		key := orphan.Key{Namespace: n.Namespace, Name: n.Name}
		o.Members[key], o.NodeIDs[n.Spec.NodeID], o.records[key] = true, true, n
		if n.DeletionTimestamp == nil {
			o.Resources = append(o.Resources,
				orphan.Resource{Kind: orphan.NomadNode, Key: key, Member: n.Name, PoolUID: n.Spec.PoolUID})
		}
	}
	return nil
}

// observeMachines reads all VMs and instances of the namespaces in which something may be left. There are seldom any.
func (s *Sweeper) observeMachines(ctx context.Context, o *scope) error {
	suspects := map[string][]orphan.Resource{}
	for _, l := range orphan.Suspects(o.Observed) {
		if l.Removable() {
			suspects[l.Namespace] = append(suspects[l.Namespace], l)
		}
	}
	for namespace, left := range suspects {
		for _, kind := range []string{"VirtualMachineList", "VirtualMachineInstanceList"} {
			// Untyped, because a newer KubeVirt may name claims in fields that our types lack.
			l := &unstructured.UnstructuredList{}
			l.SetGroupVersionKind(kubevirtv1.SchemeGroupVersion.WithKind(kind))
			if err := s.Live.List(ctx, l, client.InNamespace(namespace)); err != nil {
				return fmt.Errorf("listing the VMs of namespace %s: %w", namespace, err)
			}
			for i := range l.Items {
				if err := o.mention(&l.Items[i], left); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// mention notes that a VM exists, and which of what may be left it names in whatever place.
func (o *scope) mention(vm *unstructured.Unstructured, left []orphan.Resource) error {
	o.Machines[orphan.Key{Namespace: vm.GetNamespace(), Name: vm.GetName()}] = true
	text, err := vm.MarshalJSON()
	if err != nil {
		return fmt.Errorf("reading VM %s: %w", vm.GetName(), err)
	}
	for _, l := range left {
		for _, name := range []string{l.Name, l.Secret} {
			if name != "" && bytes.Contains(text, []byte(name)) {
				o.Mentioned[orphan.Key{Namespace: l.Namespace, Name: name}] = true
			}
		}
	}
	return nil
}
