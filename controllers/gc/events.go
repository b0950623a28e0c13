package gc

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/orphan"
)

// emitter emits the Events of orphaned resources. Each Event has one function, so that its text is the same everywhere.
// An Event is emitted after the change that it reports.
type emitter struct{ kube.EventSink }

// orphanRemoved relates each Event to the removed resource, or to the member whose it was. Without that Kubernetes
// would merge them all into one.
func (e emitter) orphanRemoved(p *v1alpha1.NomadNodePool, l orphan.Resource) {
	what, related, name := "claim", client.Object(&corev1.PersistentVolumeClaim{}), l.Name
	switch l.Kind {
	case orphan.ClientNode:
		what, related, name = "Nomad node", &v1alpha1.NomadNode{}, l.Member // a Nomad node is no object of Kubernetes
	case orphan.Secret:
		what, related = "Secret", &corev1.Secret{}
	default:
	}
	related.SetNamespace(l.Namespace)
	related.SetName(name)
	e.Normal(p, related, "OrphanRemoved", "CollectGarbage",
		"Removed %s %s, which was left of member %s, whose NomadNode is gone", what, l.Name, l.Member)
}

func (e emitter) vmOrphaned(p *v1alpha1.NomadNodePool, l orphan.Resource) {
	vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: l.Namespace, Name: l.Name}}
	e.WarnOf(p, vm, "VMOrphaned", "CollectGarbage",
		"VM %s is a member's, but its NomadNode is gone, so nobody looks after it: "+
			"drain its Nomad node, annotate the VM %s and delete it", l.Name, v1alpha1.AllowDeleteAnnotation)
}

func (e emitter) poolGone(n *v1alpha1.NomadNode) {
	e.Warn(n, "PoolGone", "CollectGarbage",
		"NomadNodePool %s, which made this member, is gone, so nobody scales, updates or replaces it; "+
			"delete this NomadNode to have it drained and removed", n.Spec.PoolName)
}
