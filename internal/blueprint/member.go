package blueprint

import (
	"strings"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Member is a member of a pool, with all that its Secret and its VM are made from.
type Member struct {
	// Namespace of the pool and of all objects of the member.
	Namespace string
	// Name of the NomadNode, the VM, the guest and the Nomad node. No later member gets the same name.
	Name string
	// PoolName and PoolUID are the NomadNodePool's.
	PoolName, PoolUID string
	// NodeID is the ID of the Nomad node: a lower-case UUID, new for each member.
	NodeID string
	// Revision is the template's, as Revision returned it for the pool.
	Revision string
	// Region is the Nomad region that the guest joins; empty: Nomad's default, "global".
	Region string
	// IntroductionToken is the JWT with which the guest introduces itself to Nomad; empty: none.
	IntroductionToken string
	// ACL: the guest's agent enforces ACLs. Without that an agent lets everybody who reaches its port read every file of
	// its allocations, exec into them and change the node's meta, whatever the servers enforce (Nomad: client/acl.go,
	// resolveTokenValue). It isn't part of the revision: it follows from the Nomad cluster, and a change replaces no
	// member.
	ACL bool

	Template v1alpha1.NodeTemplate
	Client   v1alpha1.NomadClient
}

// MemberOf is the member of a NomadNode. A NomadNode has no introduction token, because that is short-lived; the caller
// sets it if there is one.
func MemberOf(n *v1alpha1.NomadNode) Member {
	return Member{
		Namespace: n.Namespace,
		Name:      n.Name,
		PoolName:  n.Spec.PoolName,
		PoolUID:   n.Spec.PoolUID,
		NodeID:    n.Spec.NodeID,
		Revision:  n.Spec.Revision,
		Region:    n.Spec.Nomad.Region,
		Template:  n.Spec.Template,
		Client:    n.Spec.Nomad.NomadClient,
	}
}

// SecretName is the name of the member's cloud-init Secret. Harvester's UI looks the Secret up by its name alone, in
// all namespaces, so the name must be unique in the cluster (Harvester UI: mixins/harvester-vm, getSecret).
func SecretName(m Member) string {
	return m.Name + "-" + uidSuffix(m) + "-cloudinit"
}

// ClaimNames are the names of the PersistentVolumeClaims of the member's disks, in the order of the disks. They must
// stay the same for a NomadNode: docs/adr/0018. Harvester adopts a claim that exists already, with an older client's
// state on it, so the names are as new as the member
// (Harvester: pkg/controller/master/virtualmachine/vm_controller.go, createPVCsFromAnnotation).
func ClaimNames(m Member) []string {
	names := make([]string, 0, len(m.Template.Disks))
	for _, d := range m.Template.Disks {
		names = append(names, m.Name+"-"+d.Name+"-"+uidSuffix(m))
	}
	return names
}

// uidSuffix is the start of the node ID. It differs from member to member, and is the same again after a crash of the
// controller.
func uidSuffix(m Member) string {
	short, _, _ := strings.Cut(m.NodeID, "-")
	return short
}

// IsMember reports if a VM is a member of the pool. The label alone doesn't make it one, because Harvester's "Clone"
// copies labels; nor do the annotations, because "Generate template" copies both. A copy has another name than the
// one its member annotation gives.
func IsMember(vm *kubevirtv1.VirtualMachine, poolName, poolUID string) bool {
	return poolUID != "" &&
		vm.Labels[v1alpha1.PoolLabel] == poolName &&
		vm.Annotations[v1alpha1.PoolUIDAnnotation] == poolUID &&
		vm.Annotations[v1alpha1.MemberAnnotation] == vm.Name
}

// DependentLabels are on the objects that belong to the VM and have other names.
func DependentLabels(m Member) map[string]string {
	return map[string]string{v1alpha1.PoolLabel: m.PoolName, v1alpha1.NodeLabel: m.Name}
}
