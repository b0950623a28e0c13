package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Kubernetes deletes the members of a pool when that has gone. While somebody's finalizer keeps it they work on, and it
// says so.
func TestPoolThatAFinalizerKeeps(t *testing.T) {
	t.Parallel()
	const theirs = "example.com/x"
	create(t, newPool("kept-pool", 1, func(p *v1alpha1.NomadNodePool) { p.Finalizers = []string{theirs} }))
	eventually(t, "kept-pool", "the pool to settle", time.Minute, allReady(1))
	p, _, err := read(t.Context(), "kept-pool")
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Delete(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	eventually(t, "kept-pool", "it to say what keeps it", 30*time.Second, both(
		reports(v1alpha1.PoolReady, v1alpha1.ReasonDeleteStuck, "the finalizers "+theirs+" keep it", "work on"),
		reports(v1alpha1.PoolStalled, v1alpha1.ReasonDeleteStuck, theirs)))
	change(t, "kept-pool", func(p *v1alpha1.NomadNodePool) {
		p.Finalizers = slices.DeleteFunc(p.Finalizers, func(f string) bool { return f == theirs })
	})
}
