package sim

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// Mutants are deliberate bugs, each of which the simulator must find: so it is known that it can fail.
func Mutants() []Mutation {
	return slices.Concat(drainMutants(), removalMutants(), sightMutants(), poolMutants(), seamMutants(), sweepMutants())
}

// sees changes what a member's decision is based on.
func sees(name string, f func(*member.Observed)) Mutation {
	return decides(name, func(o member.Observed, decide func(member.Observed) member.Decision) member.Decision {
		f(&o)
		return decide(o)
	})
}

// decides changes a member's decision.
func decides(name string, f func(member.Observed, func(member.Observed) member.Decision) member.Decision) Mutation {
	return Mutation{Name: name, Node: func(_ *process, r *controllers.NomadNodeReconciler) {
		decide := r.Decide
		r.Decide = func(o member.Observed) member.Decision { return f(o, decide) }
	}}
}

// instead takes another step when something is so.
func instead(name string, step member.Step, when func(member.Observed, member.Decision) bool) Mutation {
	return decides(name, func(o member.Observed, decide func(member.Observed) member.Decision) member.Decision {
		d := decide(o)
		if when(o, d) {
			d.Step = step
		}
		return d
	})
}

// poolSees changes what a pool's decision is based on.
func poolSees(name string, f func(*pool.Snapshot)) Mutation {
	return poolDecides(name, func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
		s.Members = append([]pool.Member(nil), s.Members...)
		f(&s)
		return decide(s)
	})
}

// poolDecides changes a pool's plan.
func poolDecides(name string, f func(pool.Snapshot, func(pool.Snapshot) pool.Plan) pool.Plan) Mutation {
	return Mutation{Name: name, Pool: func(_ *process, r *controllers.NomadNodePoolReconciler) {
		decide := r.Decide
		r.Decide = func(s pool.Snapshot) pool.Plan { return f(s, decide) }
	}}
}

func draining(o member.Observed) bool {
	return o.Record.Drain != nil && !o.Record.Drain.Canceled && !o.Record.Drained
}

func drainMutants() []Mutation {
	again := instead("drain again on each reconcile", member.Drain, func(o member.Observed, d member.Decision) bool {
		return d.Step == member.Wait && draining(o) && o.Nomad.Draining
	})
	again.Cluster = func(_ *process, c nomad.Cluster) nomad.Cluster { return sendsAlways{c} }
	return []Mutation{
		again,
		instead("delete the VM before it is drained", member.DeleteVM, func(o member.Observed, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.VM.Exists && o.VM.Ours && !o.VM.Deleting && o.Nomad.Registered
		}),
		instead("halt the VM before it is drained", member.HaltVM, func(o member.Observed, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.VM.Exists && o.VM.Ours && !o.VM.Deleting && !o.VM.Halted && o.Nomad.Registered
		}),
		instead("delete the record before it is drained", member.DeleteRecord, func(o member.Observed, d member.Decision) bool {
			return d.Step == member.Cordon && o.Record.DeletedAt.IsZero()
		}),
		instead("kick a drain on each reconcile", member.Kick, func(o member.Observed, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.Nomad.Draining
		}),
		decides("a second intent in the place of the first", func(o member.Observed, decide func(member.Observed) member.Decision) member.Decision {
			d := decide(o)
			if draining(o) && !o.Record.DeletedAt.IsZero() && o.Record.Drain.Reason == v1alpha1.DrainScaleIn {
				d.Step, d.Reason = member.RecordIntent, v1alpha1.DrainDeleted
			}
			return d
		}),
	}
}

func removalMutants() []Mutation {
	return []Mutation{
		instead("purge before the instance is gone", member.Purge, func(o member.Observed, d member.Decision) bool {
			return d.Step == member.Wait && o.Record.Drained && o.VM.Deleting && o.Nomad.Registered
		}),
		instead("let the record go at once", member.Release, func(o member.Observed, d member.Decision) bool {
			return d.Step == member.Wait && o.Record.Drained && o.VM.Deleting
		}),
		sees("take claims that are going for gone", func(o *member.Observed) {
			if len(o.Claims) > 0 && o.Claims[0].Deleting {
				o.Claims = nil
			}
		}),
		sees("forget to purge", func(o *member.Observed) { o.Record.Purge = false }),
		sees("forget the claims", func(o *member.Observed) { o.Claims = nil }),
		sees("forget the Secret in the end", func(o *member.Observed) { o.Secret = o.Secret && !o.Record.Drained }),
		sees("take instances for gone", func(o *member.Observed) { o.Instance = member.Instance{} }),
	}
}

func sightMutants() []Mutation {
	return []Mutation{
		sees("take any VM of the name", func(o *member.Observed) { o.VM.Ours = o.VM.Exists }),
		sees("make the VM before its Secret", func(o *member.Observed) { o.Secret = o.Secret || !o.Record.Leaving() }),
		sees("forget evacuations", func(o *member.Observed) { o.Instance.EvacuatedFrom = "" }),
		sees("a clock that is ahead", func(o *member.Observed) {
			if o.Record.Leaving() {
				o.Now = o.Now.Add(3 * time.Minute)
			}
		}),
		sees("force what is to be retained", func(o *member.Observed) { o.Record.Policy.OnTimeout = v1alpha1.DrainForce }),
		decides("tell the time", func(o member.Observed, decide func(member.Observed) member.Decision) member.Decision {
			d := decide(o)
			c := d.Conditions[v1alpha1.NodeReady]
			c.Message += o.Now.Format(time.RFC3339)
			d.Conditions[v1alpha1.NodeReady] = c
			return d
		}),
	}
}

func poolMutants() []Mutation {
	return []Mutation{
		poolDecides("forget the ceiling", func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
			p := decide(s)
			if p.Create > 0 {
				p.Create++
			}
			return p
		}),
		poolDecides("one victim too many", func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
			p := decide(s)
			for _, m := range s.Members {
				if len(p.Victims) > 0 && !m.Leaving && m.Name != p.Victims[0] && len(p.Victims) == 1 {
					p.Victims = append(p.Victims, m.Name)
				}
			}
			return p
		}),
		poolSees("choose protected members", func(s *pool.Snapshot) {
			for i := range s.Members {
				s.Members[i].Protected = false
			}
		}),
		poolSees("choose while Nomad can't be asked", func(s *pool.Snapshot) { s.NomadKnown = true }),
		poolSees("forget upgrades", func(s *pool.Snapshot) { s.Upgrading = false }),
		poolSees("forget maintenance", func(s *pool.Snapshot) {
			for i := range s.Members {
				s.Members[i].HostMaintenance = false
			}
		}),
		poolSees("trust a Nomad that has just come back", func(s *pool.Snapshot) { s.NomadSettled = time.Time{} }),
		poolSees("forget the breaker", func(s *pool.Snapshot) { s.Joins = pool.Joins{} }),
		poolSees("surge without a limit", func(s *pool.Snapshot) { ten := intstr.FromInt32(10); s.Rollout.MaxSurge = &ten }),
		poolSees("roll everything out at once", func(s *pool.Snapshot) { all := intstr.FromInt32(100); s.Rollout.MaxUnavailable = &all }),
		poolSees("count on members that aren't ready", func(s *pool.Snapshot) {
			for i := range s.Members {
				s.Members[i].Ready, s.Members[i].ReadySince = true, s.Members[i].Created
			}
		}),
		poolSees("forget who leaves", func(s *pool.Snapshot) {
			for i := range s.Members {
				s.Members[i].Leaving = s.Members[i].Leaving && s.Members[i].LeavingReason == v1alpha1.DrainScaleIn
			}
		}),
		poolDecides("tell the time of the pool", func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
			p := decide(s)
			p.HoldIn = &pool.Problem{Reason: v1alpha1.ReasonPaused, Message: s.Now.Format(time.RFC3339)}
			return p
		}),
	}
}

func seamMutants() []Mutation {
	clusterOf := func(name string, f func(*process, nomad.Cluster) nomad.Cluster) Mutation {
		return Mutation{Name: name, Cluster: f}
	}
	return []Mutation{
		{Name: "believe the cache", Live: func(cached client.Client, _ client.Reader) client.Reader { return cached }},
		{Name: "write without an optimistic lock", Client: func(_ *process, c client.Client) client.Client { return unlocked{c} }},
		clusterOf("count the deadline anew", func(_ *process, c nomad.Cluster) nomad.Cluster { return fullDeadline{sendsAlways{c}} }),
		clusterOf("trust Nomad when it says complete", func(_ *process, c nomad.Cluster) nomad.Cluster { return trusting{c} }),
		clusterOf("trust the view instead of asking", func(_ *process, c nomad.Cluster) nomad.Cluster { return viewing{c} }),
		clusterOf("take no answer for no allocations", func(_ *process, c nomad.Cluster) nomad.Cluster { return deaf{c} }),
		clusterOf("rescue by half", func(_ *process, c nomad.Cluster) nomad.Cluster { return halfRescue{c} }),
		clusterOf("rescue from operators as well", func(_ *process, c nomad.Cluster) nomad.Cluster { return fullRescue{c} }),
	}
}

// sendsAlways doesn't look if the drain was sent.
type sendsAlways struct{ nomad.Cluster }

// Drain sends.
func (s sendsAlways) Drain(_ context.Context, nodeID string, r nomad.DrainRequest) (bool, error) {
	c := s.Cluster.(*cluster)
	err := c.sendDrain("drain", nodeID, r, c.p.w.now)
	return err == nil, err
}

// fullDeadline gives each drain the whole time.
type fullDeadline struct{ sendsAlways }

// Drain sends.
func (f fullDeadline) Drain(ctx context.Context, nodeID string, r nomad.DrainRequest) (bool, error) {
	r.Remaining = 5 * time.Minute
	return f.sendsAlways.Drain(ctx, nodeID, r)
}

// KickDrain sends.
func (f fullDeadline) KickDrain(ctx context.Context, nodeID string, r nomad.DrainRequest) error {
	_, err := f.Drain(ctx, nodeID, r)
	return err
}

// trusting sees no allocations on a node whose drain Nomad calls complete.
type trusting struct{ nomad.Cluster }

// Inspect believes Nomad.
func (t trusting) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := t.Cluster.Inspect(ctx, nodeID)
	if in.Found && !in.Node.Draining && !in.Node.Eligible {
		in.Live = nil
	}
	return in, err
}

// Allocations believes Nomad.
func (t trusting) Allocations() nomad.AllocationsView {
	v := t.Cluster.Allocations()
	live := map[string][]nomad.Allocation{}
	for nodeID, as := range v.Live {
		if x := t.View().Nodes[nodeID]; !x.Draining && !x.Eligible {
			as = nil
		}
		live[nodeID] = as
	}
	v.Live = live
	return v
}

// viewing answers from what was seen last.
type viewing struct{ nomad.Cluster }

// Inspect doesn't ask.
func (v viewing) Inspect(_ context.Context, nodeID string) (nomad.Inspection, error) {
	x, found := v.View().Nodes[nodeID]
	return nomad.Inspection{Found: found, Node: x, Live: v.Allocations().Live[nodeID]}, nil
}

// deaf takes errors for answers.
type deaf struct{ nomad.Cluster }

// View is always fresh and well.
func (d deaf) View() nomad.View {
	v := d.Cluster.View()
	v.Health.OK, v.Health.Reason, v.Taken = true, v1alpha1.ReasonReachable, d.Cluster.(*cluster).p.w.now
	return v
}

// Inspect always has an answer.
func (d deaf) Inspect(ctx context.Context, nodeID string) (nomad.Inspection, error) {
	in, err := d.Cluster.Inspect(ctx, nodeID)
	if err != nil {
		return nomad.Inspection{}, nil //nolint:nilerr // the bug
	}
	return in, nil
}

// halfRescue ends the drain and leaves the node ineligible.
type halfRescue struct{ nomad.Cluster }

// Uncordon only ends the drain.
func (h halfRescue) Uncordon(_ context.Context, nodeID string) error {
	c := h.Cluster.(*cluster)
	return c.write("cancel drain", nodeID, func() error { return c.p.w.nomad.setDrain(nodeID, nil, us) })
}

// fullRescue makes nodes eligible whoever made them ineligible.
type fullRescue struct{ nomad.Cluster }

// CancelDrain does all that Uncordon does.
func (f fullRescue) CancelDrain(ctx context.Context, nodeID string) error {
	return f.Uncordon(ctx, nodeID)
}

// unlocked takes the lock out of patches.
type unlocked struct{ client.Client }

// Patch doesn't care what the object is by now.
func (u unlocked) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.PatchOption) error {
	return u.Client.Patch(ctx, o, noLock{p}, opts...)
}

// Status doesn't either.
func (u unlocked) Status() client.SubResourceWriter { return unlockedStatus{u.Client.Status()} }

type unlockedStatus struct{ client.SubResourceWriter }

// Patch doesn't care what the object is by now.
func (u unlockedStatus) Patch(ctx context.Context, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
	return u.SubResourceWriter.Patch(ctx, o, noLock{p}, opts...)
}

type noLock struct{ client.Patch }

// Data is the patch without the version.
func (n noLock) Data(o client.Object) ([]byte, error) {
	data, err := n.Patch.Data(o)
	if err != nil {
		return nil, err
	}
	var doc map[string]any
	if err := json.Unmarshal(data, &doc); err != nil {
		return nil, err
	}
	if meta, ok := doc["metadata"].(map[string]any); ok {
		delete(meta, "resourceVersion")
	}
	return json.Marshal(doc)
}
