package node

import (
	"context"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/nomadlink"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A member isn't reconciled by what the cache held before the controller wrote into its spec or its status, until the
// cache shows that or has had its time.
func TestMemberWaitsForTheCacheToShowWhatWasWritten(t *testing.T) {
	for name, write := range map[string]func(context.Context, *fixture, *scope) error{
		"status": func(ctx context.Context, s *fixture, of *scope) error {
			status := *of.node.Status.DeepCopy()
			status.VM.Host = "another"
			return s.writeStatus(ctx, of, status)
		},
		"spec": func(ctx context.Context, s *fixture, of *scope) error {
			return s.patchNode(ctx, of, func(n *v1alpha1.NomadNode) { n.Spec.PoolName = "another" })
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				return running(n, s, nomad.Node{Status: nomad.NodeReady, Eligible: true})
			})
			s.reconcile(t)
			s.clock.SetTime(now.Add(10 * time.Second)) // what it has written by itself doesn't count any more
			old := s.node(t)
			if err := write(t.Context(), s, &scope{node: old.DeepCopy()}); err != nil {
				t.Fatal(err)
			}
			written := s.Client
			s.cacheShows(func(_ client.ObjectKey, o client.Object) (bool, error) {
				n, ok := o.(*v1alpha1.NomadNode)
				if ok {
					old.DeepCopyInto(n)
				}
				return ok, nil
			})
			lags := s.Client
			for _, c := range []struct {
				what  string
				cache client.Client
				after time.Duration
				waits bool
			}{
				{"as before the write", lags, 0, true},
				{"as written", written, 0, false},
				{"as before the write, for longer than a cache lags", lags, time.Second, false},
			} {
				s.Client = c.cache
				s.clock.SetTime(now.Add(10*time.Second + c.after))
				got, err := s.Reconcile(t.Context(), request)
				if waits := got.RequeueAfter > 0 && got.RequeueAfter <= time.Second; err != nil || waits != c.waits {
					t.Errorf("%s: reconciles again after %s (at rest after %s), %v", c.what, got.RequeueAfter,
						nomadlink.Refresh, err)
				}
			}
		})
	}
}
