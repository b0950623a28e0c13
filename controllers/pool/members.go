package pool

import (
	"context"
	"slices"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

// cachedMembers are the members of a pool that the cache shows. Nobody may change them.
func (r *Reconciler) cachedMembers(ctx context.Context, p *v1alpha1.NomadNodePool) ([]v1alpha1.NomadNode, error) {
	return kube.MembersOf(ctx, r.Client, p.Namespace, string(p.UID))
}

// liveMembers are the members of a pool that the API server has. It finds them by their label, since otherwise it would
// answer with the members of all pools of the namespace. Those that the cache shows, and that have lost their label or
// are gone, are read one by one.
func (r *Reconciler) liveMembers(ctx context.Context, p *v1alpha1.NomadNodePool) ([]v1alpha1.NomadNode, error) {
	cached, err := r.cachedMembers(ctx, p)
	if err != nil {
		return nil, err
	}
	var l v1alpha1.NomadNodeList
	if err := r.Live.List(ctx, &l, client.InNamespace(p.Namespace),
		client.MatchingLabels{v1alpha1.PoolLabel: p.Name}); err != nil {
		return nil, err
	}
	listed := make(map[string]bool, len(l.Items))
	for i := range l.Items {
		listed[l.Items[i].Name] = true
	}
	for i := range cached {
		if listed[cached[i].Name] {
			continue
		}
		var n v1alpha1.NomadNode
		switch err := r.Live.Get(ctx, client.ObjectKeyFromObject(&cached[i]), &n); {
		case err == nil:
			l.Items = append(l.Items, n)
		case client.IgnoreNotFound(err) != nil:
			return nil, err
		}
	}
	return slices.DeleteFunc(l.Items, func(n v1alpha1.NomadNode) bool {
		return n.Spec.PoolUID != string(p.UID) // of another pool, or of a former one of this name; its finalizer sees to it
	}), nil
}
