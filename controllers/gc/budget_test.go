package gc

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// clusters are Nomads by address.
type clusters map[string]nomad.Cluster

func (c clusters) Get(conn nomad.Connection) nomad.Cluster { return c[conn.Address] }

// sluggish is a Nomad whose nodes are all down, and which takes long to say anything about one.
type sluggish struct {
	nomad.Cluster
	view  *nomad.View
	takes time.Duration
	asked atomic.Int64
}

func (s *sluggish) View() nomad.View { return *s.view }

func (s *sluggish) Inspect(ctx context.Context, _ string) (nomad.Inspection, error) {
	s.asked.Add(1)
	select {
	case <-ctx.Done():
		return nomad.Inspection{}, ctx.Err()
	case <-time.After(s.takes):
		return nomad.Inspection{}, nil
	}
}

// However many Nomads hang, or answer slowly, a run takes as long as one of them may, and the orphans of others are
// removed.
func TestHangingNomadsHoldUpNoOther(t *testing.T) {
	for name, takes := range map[string]time.Duration{"hanging": time.Hour, "slow": 9 * time.Second} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newFixture()
				at := clusters{"http://127.0.0.1:4646": s.nomad}
				view := s.nomad.view
				view.Nodes = map[string]nomad.Node{}
				for i := range 1000 {
					view.Nodes[fmt.Sprintf("bbbbbbbb-0000-4000-8000-%012d", i)] = nomad.Node{Status: nomad.NodeDown}
				}
				for i := range 20 {
					p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprint("tenant-", i),
						Name: "a", UID: types.UID(fmt.Sprint("a", i))}}
					p.Spec.Nomad.Address = fmt.Sprintf("http://127.0.0.1:%d", 5000+i)
					at[p.Spec.Nomad.Address] = &sluggish{view: &view, takes: takes}
					if err := s.Client.Create(t.Context(), p); err != nil {
						t.Fatal(err)
					}
				}
				s.Connections.Clusters = at
				for range 4 {
					s.nomad.view.Taken, view.Taken = s.clock.Now(), s.clock.Now()
					began := time.Now()
					if err := s.Collect(t.Context()); !errors.Is(err, context.DeadlineExceeded) {
						t.Errorf("got %v", err)
					}
					if took := time.Since(began); took > 2*clusterBudget {
						t.Errorf("a run took %s", took)
					}
					s.clock.Step(s.Interval)
				}
				if len(s.nomad.purged) != 1 {
					t.Errorf("purged: %v", s.nomad.purged)
				}
			})
		})
	}
}

// A panic about one Nomad is an error, as it is elsewhere, and doesn't end the process.
func TestPanicAboutOneNomadIsAnError(t *testing.T) {
	var b byCluster[int]
	one, other := &nomadStub{}, &nomadStub{silent: true}
	b.add(one, 1)
	b.add(other, 2)
	b.add(one, 3)
	var sum atomic.Int64
	errs := inEach(t.Context(), inParallel, b, func(_ context.Context, all []int) error {
		if len(all) == 1 {
			panic("an answer that nobody expected")
		}
		sum.Add(int64(all[0] + all[1]))
		return nil
	})
	if err := errors.Join(errs...); err == nil || !strings.Contains(err.Error(), "nobody expected") || sum.Load() != 4 {
		t.Errorf("sum %d, %v", sum.Load(), err)
	}
}
