package sim

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// collect is Kubernetes' garbage collector: in the background, members of a pool that is gone are deleted.
func (w *Environment) collect() {
	w.store.watchers = append(w.store.watchers, func(was, is client.Object) {
		if p, ok := was.(*v1alpha1.NomadNodePool); ok && is == nil {
			w.after(w.chance.of("collector").between(10*time.Millisecond, 3*time.Second), func() { w.collectOf(p) })
		}
		if n, ok := is.(*v1alpha1.NomadNode); ok && was == nil {
			// One that was made after its pool had gone.
			w.after(w.chance.of("collector").between(time.Second, 10*time.Second), func() { w.orphan(n) })
		}
	})
}

func (w *Environment) collectOf(p *v1alpha1.NomadNodePool) {
	for _, o := range w.store.all(kindNode) {
		if metav1.IsControlledBy(o, p) {
			_ = w.store.remove(idOf(o), o.GetUID()) // gone already is as good
		}
	}
}

func (w *Environment) orphan(n *v1alpha1.NomadNode) {
	if p := w.store.get(id{kindPool, n.Namespace, n.Spec.PoolName}); p == nil || string(p.GetUID()) != n.Spec.PoolUID {
		_ = w.store.remove(idOf(n), n.UID) // gone already is as good
	}
}
