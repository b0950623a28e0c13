package node

import (
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// scope is one member in one reconcile: the objects that were read, and the state that was made of them. A step doesn't
// change observed: what it learns is in its outcome. It replaces the objects by what it has written.
type scope struct {
	node     *v1alpha1.NomadNode
	vm       *kubevirtv1.VirtualMachine         // nil: none of this name
	vmi      *kubevirtv1.VirtualMachineInstance // nil: none
	link     nomadlink.Link
	facts    blueprint.Facts // only while the VM is to be made
	observed nodestate.State
	foundIn  string // the Where of its former Nomad, if that turned out to have its node; empty: it didn't

	// latest is true once node was found to be what the API server has, or has been written.
	latest bool

	// dataVolumes are those of the member's claims that aren't being deleted; only while the member is being removed.
	dataVolumes []string
}

func (r *Reconciler) observe(ctx context.Context, n *v1alpha1.NomadNode) (*scope, error) {
	s := &scope{node: n}
	s.observed = nodestate.State{Now: r.Clock.Now(), Node: nodestate.Of(n), PurgeTimeout: r.PurgeTimeout,
		HasIntroductionToken: n.Status.HasIntroductionToken}
	known := r.acceptedFor(n)
	s.observed.Cordon, s.observed.Drain, s.observed.DrainExtended = known.cordon, known.drain, known.extended
	s.observed.Stop = known.stop
	link, err := r.Connections.Link(ctx, n, n.Spec.Nomad)
	if err != nil {
		return nil, err
	}
	s.link = link.Of(n)
	if err := r.observeVM(ctx, s); err != nil {
		return nil, err
	}
	r.observeDenied(ctx, s)
	if err := r.observeSuspension(ctx, s); err != nil {
		return nil, err
	}
	if err := r.observeParts(ctx, s); err != nil {
		return nil, err
	}
	siblings, err := r.siblings(ctx, n)
	if err != nil {
		return nil, err
	}
	observeNomad(s, siblings)
	if err := r.observeByID(ctx, s); err != nil {
		return nil, err
	}
	if err := r.observeOther(ctx, s); err != nil {
		return nil, err
	}
	r.observeStopTime(ctx, s)
	return s, r.observePool(ctx, s)
}

// observePool checks if the member's pool exists, while that matters.
func (r *Reconciler) observePool(ctx context.Context, s *scope) error {
	if !member.NeedsPool(s.observed) {
		return nil
	}
	p, err := r.poolOf(ctx, s.node)
	s.observed.PoolDeleted = err == nil && (p == nil || p.DeletionTimestamp != nil)
	return err
}

// poolOf is the pool that made the member, as the API server has it; nil: it is gone.
func (r *Reconciler) poolOf(ctx context.Context, n *v1alpha1.NomadNode) (*v1alpha1.NomadNodePool, error) {
	p := &v1alpha1.NomadNodePool{}
	found, err := read(ctx, r.Live, types.NamespacedName{Namespace: n.Namespace, Name: n.Spec.PoolName}, p)
	if err != nil || !found || string(p.UID) != n.Spec.PoolUID {
		return nil, err
	}
	return p, nil
}

// observeVM reads the VM and its instance. The cache may prove that they exist, but only the API server that they
// don't: a VM that was made a moment ago isn't in the cache yet, and to take a running guest for gone would be the
// worst mistake.
func (r *Reconciler) observeVM(ctx context.Context, s *scope) error {
	vm, vmi := &kubevirtv1.VirtualMachine{}, &kubevirtv1.VirtualMachineInstance{}
	key := client.ObjectKeyFromObject(s.node)
	found, err := r.get(ctx, key, vm)
	recorded := s.node.Status.VM.UID
	// Another VM of this name: the cache may not show yet that it is gone, and that the member's VM is there. Nor may it
	// show yet that this controller has deleted the VM, which would be listed and deleted once more.
	other := found && recorded != "" && recorded != string(vm.UID)
	if err == nil && (other || found && r.vms.Lag(vm, s.observed.Now) > 0) {
		vm = &kubevirtv1.VirtualMachine{}
		found, err = read(ctx, r.Live, key, vm)
	}
	if err != nil {
		return err
	}
	if found {
		s.vm = vm
		s.observed.VM = nodestate.VMOf(s.node, vm)
	}
	if found, err = r.getInstance(ctx, s, key, vmi); err != nil {
		return err
	}
	// The instance of an external VM of this name is external too, and must not block the member's removal.
	if found && (s.observed.VM.Owned || s.vm == nil || !metav1.IsControlledBy(vmi, s.vm)) {
		s.vmi = vmi
		s.observed.Instance = nodestate.InstanceOf(vmi)
	}
	return nil
}

// getInstance reads the instance. While the member is wanted and its VM isn't being deleted, nothing is taken away
// because an instance is missing, so the cache is enough.
func (r *Reconciler) getInstance(ctx context.Context, s *scope, key types.NamespacedName,
	vmi *kubevirtv1.VirtualMachineInstance) (bool, error) {
	wanted := !s.observed.Node.Leaving()
	if wanted && (s.observed.VM.Owned && !s.observed.VM.Deleting || !s.observed.VM.Exists && !s.observed.Node.VMMade) {
		return read(ctx, r.Client, key, vmi)
	}
	return r.get(ctx, key, vmi)
}

// get reads an object. That the cache has none must be confirmed.
func (r *Reconciler) get(ctx context.Context, key types.NamespacedName, o client.Object) (bool, error) {
	if found, err := read(ctx, r.Client, key, o); found || err != nil {
		return found, err
	}
	return read(ctx, r.Live, key, o)
}

// read is false if the reader has no such object.
func read(ctx context.Context, from client.Reader, key types.NamespacedName, o client.Object) (bool, error) {
	err := from.Get(ctx, key, o)
	if client.IgnoreNotFound(err) != nil {
		return false, fmt.Errorf("reading %T %s: %w", o, key, err)
	}
	return err == nil, nil
}

// observeParts reads what is needed only while a member is being made or removed.
func (r *Reconciler) observeParts(ctx context.Context, s *scope) error {
	starts := !s.observed.Node.Leaving() && !s.observed.Node.VMMade
	making := starts && !s.observed.VM.Exists
	if member.NeedsSecret(s.observed) {
		return r.observeWaiting(ctx, s)
	}
	removing := s.observed.Node.Drained && (!s.observed.VM.Exists || !s.observed.VM.Owned)
	if !starts && !removing {
		return nil
	}
	if err := r.observeSecret(ctx, s); err != nil {
		return err
	}
	if removing {
		if err := r.observeClaims(ctx, s); err != nil {
			return err
		}
		return r.observeDataVolumes(ctx, s)
	}
	if !making { // a crash may have left a VM that the status doesn't tell of yet
		return nil
	}
	return r.observeTemplate(ctx, s)
}

func (r *Reconciler) observeClaims(ctx context.Context, s *scope) error {
	for _, name := range nodestate.ClaimsOf(s.node) {
		pvc := &corev1.PersistentVolumeClaim{}
		err := r.Live.Get(ctx, types.NamespacedName{Namespace: s.node.Namespace, Name: name}, pvc)
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return fmt.Errorf("reading claim %s: %w", name, err)
		}
		c := nodestate.Claim{Name: name, Finalizers: pvc.Finalizers}
		if pvc.DeletionTimestamp != nil {
			c.Deleting, c.DeletingSince = true, pvc.DeletionTimestamp.Time
		}
		s.observed.Claims = append(s.observed.Claims, c)
	}
	return nil
}

// siblings are the IDs of the Nomad nodes of this pool's other members that have a drain request.
func (r *Reconciler) siblings(ctx context.Context, n *v1alpha1.NomadNode) ([]string, error) {
	if n.Spec.Drain == nil || nodestate.Of(n).Drained {
		return nil, nil
	}
	members, err := r.membersOf(ctx, n)
	if err != nil {
		return nil, err
	}
	var out []string
	for i := range members {
		o := &members[i]
		if o.Name != n.Name && o.Spec.Drain != nil && !o.Spec.Drain.Canceled {
			out = append(out, o.Spec.NodeID)
		}
	}
	return out, nil
}

// membersOf are the members of the pool that made this one, which is among them. Nobody may change them.
func (r *Reconciler) membersOf(ctx context.Context, n *v1alpha1.NomadNode) ([]v1alpha1.NomadNode, error) {
	members, err := kube.MembersOf(ctx, r.Client, n.Namespace, n.Spec.PoolUID)
	if err != nil {
		return nil, fmt.Errorf("listing the members of pool %s: %w", n.Spec.PoolName, err)
	}
	return members, nil
}

func observeNomad(s *scope, siblings []string) {
	s.observed.Nomad = nodestate.Nomad{Known: s.link.Known, Why: s.link.Message, Misconfigured: s.link.Misconfigured,
		NotAsked: s.link.NotAsked, Leader: s.link.View.Leader}
	s.observed.NomadRecovered = s.link.View.RecoveredSince
	for _, id := range siblings {
		if v, ok := s.link.View.Nodes[id]; ok && v.Eligible {
			s.observed.SiblingsEligible = true
		}
	}
	v, ok := s.link.View.Nodes[s.node.Spec.NodeID]
	if !ok {
		return
	}
	o := &s.observed.Nomad
	known := *o
	*o = nomadlink.NodeOf(s.node, v)
	o.Known, o.Why, o.NotAsked, o.Leader = known.Known, known.Why, known.NotAsked, known.Leader
	o.Misconfigured = known.Misconfigured
	if s.link.Cluster == nil || !s.observed.Node.Emptying() {
		return
	}
	allocs := s.link.Cluster.Allocations()
	live, asked := allocs.Live[s.node.Spec.NodeID]
	if v.Status == nomad.NodeDown { // no allocation can fetch data from it
		live = slices.DeleteFunc(slices.Clone(live), func(a nomad.Allocation) bool { return a.MovingTo != "" })
	}
	o.LiveKnown = asked && s.observed.Now.Sub(allocs.Started) < nomadlink.AllocationsLimit
	o.Live = memberAllocations(live)
	if allocs.Err != nil {
		o.LiveProblem = nomad.Cause(allocs.Err)
	}
}

// observeStopTime asks how long the remaining allocations may take to stop. Without an answer the last written value
// counts.
func (r *Reconciler) observeStopTime(ctx context.Context, s *scope) {
	if s.link.Cluster == nil || !member.AsksStopTime(s.observed) {
		return
	}
	longest, err := s.link.Cluster.StopTime(ctx, s.node.Spec.NodeID)
	if err != nil {
		log.FromContext(ctx).Info("it isn't known how long the allocations may take to stop", "cause", nomad.Cause(err))
		return
	}
	s.observed.Nomad.StopTime = &longest
}

func short(id string) string {
	if len(id) > 8 {
		return id[:8]
	}
	return id
}
