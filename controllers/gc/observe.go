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
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// recoveryTime is how long Nomad must have been healthy under one leader before a node that is down counts as down.
const recoveryTime = time.Minute

// scope is one run: the objects that were read, and the observation that was made of them.
type scope struct {
	orphan.Observed
	pools    map[string]*v1alpha1.NomadNodePool // by UID
	nodes    map[orphan.Key]*v1alpha1.NomadNode
	claims   map[orphan.Key]types.UID
	clusters map[orphan.Key]nomad.Cluster // of Nomad nodes
	uses     map[string]nomad.Cluster     // by the UID of the pool
	down     byCluster[string]            // the IDs of Nomad nodes that are down
	unseen   []error                      // why Nomad nodes of some pools weren't read; their grace period restarts
}

// observe reads the resources before the NomadNodes, and the NomadNodes before the VMs. A member's NomadNode is made
// first and goes last, so a resource that was read without one has none.
func (s *Collector) observe(ctx context.Context) (*scope, error) {
	o := &scope{
		Observed: orphan.Observed{
			Now: s.Clock.Now(), Pools: map[string]orphan.Pool{}, Members: map[orphan.Key]bool{}, NodeIDs: map[string]bool{},
			VMs: map[orphan.Key]bool{}, Referenced: map[orphan.Key]bool{}},
		pools: map[string]*v1alpha1.NomadNodePool{}, nodes: map[orphan.Key]*v1alpha1.NomadNode{},
		claims: map[orphan.Key]types.UID{}, clusters: map[orphan.Key]nomad.Cluster{},
		uses: map[string]nomad.Cluster{},
	}
	for _, step := range []func(context.Context, *scope) error{
		s.observePools, s.observeClaims, s.observeVMs, s.observeMembers, s.observeNodes, s.observeAllVMs,
	} {
		if err := step(ctx, o); err != nil {
			return nil, err
		}
	}
	return o, nil
}

func (s *Collector) observePools(ctx context.Context, o *scope) error {
	var l v1alpha1.NomadNodePoolList
	if err := kube.ListIn(ctx, s.Live, s.Namespaces, &l); err != nil {
		return fmt.Errorf("listing the pools: %w", err)
	}
	for i := range l.Items {
		p := &l.Items[i]
		o.pools[string(p.UID)] = p
		o.Pools[string(p.UID)] = orphan.Pool{Paused: p.Spec.Paused,
			KeepsNodes: p.Spec.ScaleIn.Purge != nil && !*p.Spec.ScaleIn.Purge}
		link, err := s.Connections.Link(ctx, p, p.Spec.Nomad)
		if err != nil {
			o.unseen = append(o.unseen, fmt.Errorf("pool %s/%s: %w", p.Namespace, p.Name, err))
			continue
		}
		recovered := !link.View.RecoveredSince.IsZero() && !o.Now.Before(link.View.RecoveredSince.Add(recoveryTime))
		if !link.Known || !recovered {
			continue
		}
		if o.uses[string(p.UID)] = link.Cluster; o.down.of[link.Cluster] == nil { // once for all its pools
			o.noteDown(link.Cluster, link.View)
		}
	}
	return nil
}

func (o *scope) noteDown(cluster nomad.Cluster, view nomad.View) {
	for id, n := range view.Nodes {
		if n.Status == nomad.NodeDown {
			o.down.add(cluster, id)
		}
	}
}

func (s *Collector) observeClaims(ctx context.Context, o *scope) error {
	l := &metav1.PartialObjectMetadataList{}
	l.SetGroupVersionKind(corev1.SchemeGroupVersion.WithKind("PersistentVolumeClaimList"))
	if err := kube.ListIn(ctx, s.Live, s.Namespaces, l,
		client.HasLabels{v1alpha1.PoolLabel, v1alpha1.NodeLabel}); err != nil {
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

// observeVMs reads the VMs of pools from the cache: they are only reported. They are the cache's own, so nobody may
// change them.
func (s *Collector) observeVMs(ctx context.Context, o *scope) error {
	var l kubevirtv1.VirtualMachineList
	if err := s.Client.List(ctx, &l, client.UnsafeDisableDeepCopy, client.HasLabels{v1alpha1.PoolLabel}); err != nil {
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

func (s *Collector) observeMembers(ctx context.Context, o *scope) error {
	var l v1alpha1.NomadNodeList
	if err := kube.ListIn(ctx, s.Live, s.Namespaces, &l); err != nil {
		return fmt.Errorf("listing the members: %w", err)
	}
	for i := range l.Items {
		n := &l.Items[i]
		key := orphan.Key{Namespace: n.Namespace, Name: n.Name}
		o.Members[key], o.NodeIDs[n.Spec.NodeID], o.nodes[key] = true, true, n
		if n.DeletionTimestamp == nil {
			o.Resources = append(o.Resources,
				orphan.Resource{Kind: orphan.NomadNode, Key: key, Member: n.Name, PoolUID: n.Spec.PoolUID})
		}
	}
	return nil
}

// observeAllVMs reads all VMs and instances of the namespaces that have a suspect. Usually there is none.
func (s *Collector) observeAllVMs(ctx context.Context, o *scope) error {
	suspects := map[string][]orphan.Resource{}
	for _, l := range orphan.Suspects(o.Observed) {
		if l.Removable() {
			suspects[l.Namespace] = append(suspects[l.Namespace], l)
		}
	}
	for namespace, left := range suspects {
		for _, kind := range []string{"VirtualMachineList", "VirtualMachineInstanceList"} {
			// Untyped, because a newer KubeVirt may reference claims in fields that our types lack.
			l := &unstructured.UnstructuredList{}
			l.SetGroupVersionKind(kubevirtv1.SchemeGroupVersion.WithKind(kind))
			if err := s.Live.List(ctx, l, client.InNamespace(namespace)); err != nil {
				return fmt.Errorf("listing the VMs of namespace %s: %w", namespace, err)
			}
			for i := range l.Items {
				if err := o.noteReferences(&l.Items[i], left); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// noteReferences notes that a VM exists, and which of the suspects it names in any field.
func (o *scope) noteReferences(vm *unstructured.Unstructured, left []orphan.Resource) error {
	o.VMs[orphan.Key{Namespace: vm.GetNamespace(), Name: vm.GetName()}] = true
	text, err := vm.MarshalJSON()
	if err != nil {
		return fmt.Errorf("reading VM %s: %w", vm.GetName(), err)
	}
	for _, l := range left {
		for _, name := range []string{l.Name, l.Secret} {
			if name != "" && bytes.Contains(text, []byte(name)) {
				o.Referenced[orphan.Key{Namespace: l.Namespace, Name: name}] = true
			}
		}
	}
	return nil
}
