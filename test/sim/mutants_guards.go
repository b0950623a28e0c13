package sim

import (
	"context"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	nodectrl "github.com/nomad-harvester/nomad-harvester/controllers/node"
	poolctrl "github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// guardMutants take out single guards.
func guardMutants() []Mutation {
	return []Mutation{
		{Name: "say of guests that run that they are gone", Node: func(_ *process, r *nodectrl.Reconciler) {
			describe := r.Describe
			r.Describe = func(o nodestate.State, out member.Outcome) member.Description {
				if o.VM.Deleting {
					o.Instance, o.VM.DeletingSince = nodestate.Instance{}, o.VM.DeletingSince.Add(-time.Hour)
				}
				return describe(o, out)
			}
		}},
		{Name: "read hosts when a member's time is up", Pool: func(p *process, r *poolctrl.Reconciler) {
			r.Live = inattentive{r.Live, p}
		}},
	}
}

// stopsBatch cancels drains whatever they stop. A schedule of chance hardly asks for a member again in the seconds in
// which its drain stops batch work.
var stopsBatch = Mutation{Name: "cancel drains that stop batch jobs", Pool: func(p *process, r *poolctrl.Reconciler) {
	decide := r.Decide
	r.Decide = func(s pool.Snapshot) pool.Plan {
		s.Members = slices.Clone(s.Members)
		for i := range s.Members {
			m := &s.Members[i]
			m.Reclaimable = m.Reclaimable || m.Leaving && !m.Down && !m.NomadUnknown && drainedByUs(p.w, m.Name)
		}
		return decide(s)
	}
}}

// AskForAgain is a schedule without chance in which capacity is asked for again so long after the deadline of a drain,
// when Nomad stops a batch job. It returns what is violated: by the product, and by drains that are canceled whatever
// they stop.
func AskForAgain(late time.Duration) (product, mutant *Violation) {
	const asked, deadline = 2 * time.Minute, 15 * time.Minute
	s := goldenTrace{replicas: 2, lasts: asked + deadline + 3*time.Minute,
		jobs: []*job{{name: "report", kind: batch, count: 8, lasts: time.Hour}},
		does: map[time.Duration]func(*Environment){asked: toReplicas(1), asked + deadline + late: toReplicas(2)}}
	product = s.environment(Mutation{}).checks.violation
	s.jobs = []*job{{name: "report", kind: batch, count: 8, lasts: time.Hour}}
	return product, s.environment(stopsBatch).checks.violation
}

// drainedByUs is true for a member that a pool has asked to leave, and whose drain has been sent and isn't complete.
func drainedByUs(w *Environment, name string) bool {
	n, _ := w.store.get(id{kindNode, namespace, name}).(*v1alpha1.NomadNode)
	if n == nil || n.Spec.Drain == nil || n.DeletionTimestamp != nil || n.Status.DrainResult != "" {
		return false
	}
	x := w.checks.members[name].nomad.nodes[n.Spec.NodeID]
	asked := n.Spec.Drain.Reason == v1alpha1.DrainScaleIn || n.Spec.Drain.Reason == v1alpha1.DrainRollout
	return asked && x != nil && x.last != nil && x.last.DrainID == n.Spec.Drain.ID
}

// inattentive sees what Harvester does with its hosts and itself only while the time of a member is up.
type inattentive struct {
	client.Reader
	p *process
}

// List finds no upgrade before.
func (i inattentive) List(ctx context.Context, l client.ObjectList, opts ...client.ListOption) error {
	err := i.Reader.List(ctx, l, opts...)
	if u, ok := l.(*unstructured.UnstructuredList); ok && u.GetKind() == "UpgradeList" && !i.timeIsUp() {
		u.Items = nil
	}
	return err
}

// Get finds no host in maintenance before.
func (i inattentive) Get(ctx context.Context, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
	err := i.Reader.Get(ctx, key, o, opts...)
	if host, ok := o.(*corev1.Node); ok && err == nil && !i.timeIsUp() {
		host.Annotations = nil
	}
	return err
}

func (i inattentive) timeIsUp() bool {
	w := i.p.w
	return slices.ContainsFunc(w.store.all(kindNode), func(o client.Object) bool {
		n := o.(*v1alpha1.NomadNode)
		p, since := w.checks.poolOf(n), n.Status.UnhealthyTime
		return nodestate.Of(n).JoinExpired(w.now) || p != nil && since != nil &&
			w.now.Sub(since.Time) >= p.Spec.Health.UnhealthyTimeout.Duration
	})
}
