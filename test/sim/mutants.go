package sim

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	nodectrl "github.com/nomad-harvester/nomad-harvester/controllers/node"
	poolctrl "github.com/nomad-harvester/nomad-harvester/controllers/pool"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// Mutants are deliberate bugs, each of which the simulator must find: so it is known that it can fail.
func Mutants() []Mutation {
	return slices.Concat(drainMutants(), removalMutants(), sightMutants(), poolMutants(), healthMutants(), seamMutants(),
		gcMutants(), untrueMutants(), capacityMutants(), restoreMutants(), forceMutants(), otherIDMutants(), moveMutants(),
		guardMutants())
}

// sees changes what a member's decision, and its description, are based on.
func sees(name string, f func(*nodestate.State)) Mutation {
	return Mutation{Name: name, Node: func(_ *process, r *nodectrl.Reconciler) {
		next, describe := r.Next, r.Describe
		r.Next = func(o nodestate.State) member.Decision { f(&o); return next(o) }
		r.Describe = func(o nodestate.State, out member.Outcome) member.Description { f(&o); return describe(o, out) }
	}}
}

// decides changes a member's decision.
func decides(name string, f func(nodestate.State, func(nodestate.State) member.Decision) member.Decision) Mutation {
	return Mutation{Name: name, Node: func(_ *process, r *nodectrl.Reconciler) {
		next := r.Next
		r.Next = func(o nodestate.State) member.Decision { return f(o, next) }
	}}
}

// says changes how a member is described.
func describes(name string, f func(nodestate.State, member.Description)) Mutation {
	return Mutation{Name: name, Node: func(_ *process, r *nodectrl.Reconciler) {
		describe := r.Describe
		r.Describe = func(o nodestate.State, out member.Outcome) member.Description {
			d := describe(o, out)
			f(out.After(o), d)
			return d
		}
	}}
}

// instead takes another step when something is so.
func instead(name string, step member.Step, when func(nodestate.State, member.Decision) bool) Mutation {
	return decides(name, func(o nodestate.State, decide func(nodestate.State) member.Decision) member.Decision {
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
	return Mutation{Name: name, Pool: func(_ *process, r *poolctrl.Reconciler) {
		decide := r.Decide
		r.Decide = func(s pool.Snapshot) pool.Plan { return f(s, decide) }
	}}
}

func draining(o nodestate.State) bool {
	return o.Node.Drain != nil && !o.Node.Drain.Canceled && !o.Node.Drained
}

func drainMutants() []Mutation {
	again := instead("drain again on each reconcile", member.Drain, func(o nodestate.State, d member.Decision) bool {
		return d.Step == member.Wait && draining(o) && o.Nomad.Draining
	})
	again.Cluster = func(_ *process, c nomad.Cluster) nomad.Cluster { return sendsAlways{c} }
	return []Mutation{
		again,
		instead("delete the VM before it is drained", member.DeleteVM, func(o nodestate.State, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.VM.Exists && o.VM.Owned && !o.VM.Deleting && o.Nomad.Registered
		}),
		instead("halt the VM before it is drained", member.HaltVM, func(o nodestate.State, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.VM.Exists && o.VM.Owned && !o.VM.Deleting && !o.VM.Halted &&
				o.Nomad.Registered
		}),
		instead("delete the NomadNode before it is drained", member.DeleteNomadNode,
			func(o nodestate.State, d member.Decision) bool {
				return d.Step == member.Cordon && o.Node.DeletedAt.IsZero()
			}),
		instead("resend a drain on each reconcile", member.ResendDrain, func(o nodestate.State, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.Nomad.Draining
		}),
		instead("send an overdue drain at once", member.Drain, func(_ nodestate.State, d member.Decision) bool {
			return d.Step == member.ExtendDrain
		}),
		instead("take somebody else's drain over", member.Drain, func(o nodestate.State, d member.Decision) bool {
			return d.Step == member.Wait && draining(o) && o.Nomad.Draining && o.Nomad.DrainID == ""
		}),
		decides("a second drain request in the place of the first",
			func(o nodestate.State, decide func(nodestate.State) member.Decision) member.Decision {
				d := decide(o)
				if draining(o) && !o.Node.DeletedAt.IsZero() && o.Node.Drain.Reason == v1alpha1.DrainScaleIn {
					d.Step, d.Reason = member.RequestDrain, v1alpha1.DrainDeleted
				}
				return d
			}),
	}
}

func removalMutants() []Mutation {
	return []Mutation{
		instead("purge before the instance is gone", member.Purge, func(o nodestate.State, d member.Decision) bool {
			return d.Step == member.Wait && o.Node.Drained && o.VM.Deleting && o.Nomad.Registered
		}),
		instead("release the NomadNode at once", member.Release, func(o nodestate.State, d member.Decision) bool {
			return d.Step == member.Wait && o.Node.Drained && o.VM.Deleting
		}),
		sees("take claims that are going for gone", func(o *nodestate.State) {
			if len(o.Claims) > 0 && o.Claims[0].Deleting {
				o.Claims = nil
			}
		}),
		sees("forget to purge", func(o *nodestate.State) { o.Node.Purge = false }),
		sees("forget the claims", func(o *nodestate.State) { o.Claims = nil }),
		sees("forget the Secret in the end", func(o *nodestate.State) { o.Secret = o.Secret && !o.Node.Drained }),
		sees("wait for a Nomad that is gone for good", func(o *nodestate.State) { o.PurgeTimeout = 1000 * time.Hour }),
		describes("call a VM that stays gone", func(o nodestate.State, d member.Description) {
			if o.Node.Drained && o.VM.Owned && !o.VM.Deleting && member.Next(o).Step == member.Wait {
				d.Conditions[v1alpha1.NodeVMReady] = metav1.Condition{Status: "False", Reason: v1alpha1.ReasonDeleteStuck,
					Message: "The VM is gone, but its instance runs on without it."}
			}
		}),
		sees("take instances for gone", func(o *nodestate.State) { o.Instance = nodestate.Instance{} }),
	}
}

func sightMutants() []Mutation {
	return []Mutation{
		sees("take any VM of the name", func(o *nodestate.State) { o.VM.Owned = o.VM.Exists }),
		sees("make the VM before its Secret", func(o *nodestate.State) { o.Secret = o.Secret || !o.Node.Leaving() }),
		sees("take a Nomad that wasn't asked for one that can't be", func(o *nodestate.State) { o.Nomad.NotAsked = false }),
		sees("forget evacuations", func(o *nodestate.State) { o.Instance.EvacuatedFrom = "" }),
		sees("a clock that is ahead", func(o *nodestate.State) {
			if o.Node.Leaving() {
				o.Now = o.Now.Add(3 * time.Minute)
			}
		}),
		sees("force what is to be retained", func(o *nodestate.State) { o.Node.Policy.OnTimeout = v1alpha1.DrainForce }),
		describes("write the time", func(o nodestate.State, d member.Description) {
			c := d.Conditions[v1alpha1.NodeReady]
			c.Message += o.Now.Format(time.RFC3339)
			d.Conditions[v1alpha1.NodeReady] = c
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
		poolSees("forget the breaker", func(s *pool.Snapshot) { s.Joins = pool.Joins{} }),
		poolSees("surge without a limit", func(s *pool.Snapshot) { ten := intstr.FromInt32(10); s.Rollout.MaxSurge = &ten }),
		poolSees("roll everything out at once",
			func(s *pool.Snapshot) { all := intstr.FromInt32(100); s.Rollout.MaxUnavailable = &all }),
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
		poolSees("forget maxConcurrent", func(s *pool.Snapshot) { s.ScaleIn.MaxConcurrent = nil }),
		poolSees("forget maxInFlight", func(s *pool.Snapshot) { ten := int32(10); s.Health.MaxInFlight = &ten }),
		poolSees("forget the stabilization window", func(s *pool.Snapshot) { s.ScaleIn.StabilizationWindow = nil }),
		poolDecides("hold only scale-ins within the window",
			func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
				p := decide(s)
				s.ScaleIn.StabilizationWindow = nil
				if other := decide(s); len(other.Victims) == 0 {
					p.Outdated = other.Outdated
				}
				return p
			}),
		poolDecides("write the time of the pool", func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
			p := decide(s)
			p.ScaleInBlocked = &condition.Problem{Reason: v1alpha1.ReasonPaused, Message: s.Now.Format(time.RFC3339)}
			return p
		}),
	}
}

// healthMutants judge members when they mustn't.
func healthMutants() []Mutation {
	return []Mutation{
		poolSees("forget upgrades", func(s *pool.Snapshot) { s.Upgrade = nil }),
		poolSees("forget maintenance", func(s *pool.Snapshot) {
			for i := range s.Members {
				s.Members[i].HostMaintenance = false
			}
		}),
		poolSees("count the time of a suspension", func(s *pool.Snapshot) {
			for i := range s.Members {
				m := &s.Members[i]
				if !m.UnhealthyTime.IsZero() && m.UnhealthyTime.Equal(s.Suspension.Resumed) {
					m.UnhealthyTime = s.Suspension.Resumed.Add(-time.Hour)
				}
				if !m.Joined && m.VMMade && m.JoinDeadline.Equal(s.Suspension.Resumed.Add(s.Health.JoinTimeout.Duration)) {
					m.JoinExpired = true
				}
			}
		}),
		poolSees("trust a Nomad that has just come back", func(s *pool.Snapshot) {
			s.NomadRecovered = time.Time{}
			for i := range s.Members {
				s.Members[i].NomadRecovered = time.Time{}
			}
		}),
	}
}

func seamMutants() []Mutation {
	clusterOf := func(name string, f func(*process, nomad.Cluster) nomad.Cluster) Mutation {
		return Mutation{Name: name, Cluster: f}
	}
	return []Mutation{
		{Name: "believe the cache", Live: func(cached client.Client, _ client.Reader) client.Reader { return cached }},
		{Name: "write without an optimistic lock",
			Client: func(_ *process, c client.Client) client.Client { return unlocked{c} }},
		clusterOf("count the deadline anew",
			func(_ *process, c nomad.Cluster) nomad.Cluster { return fullDeadline{sendsAlways{c}} }),
		clusterOf("trust Nomad when it says complete",
			func(_ *process, c nomad.Cluster) nomad.Cluster { return trusting{c} }),
		clusterOf("trust the view instead of asking", func(_ *process, c nomad.Cluster) nomad.Cluster { return viewing{c} }),
		clusterOf("choose by an old view", func(_ *process, c nomad.Cluster) nomad.Cluster { return ageless{c} }),
		clusterOf("take no answer for no allocations", func(_ *process, c nomad.Cluster) nomad.Cluster { return deaf{c} }),
		clusterOf("believe a token that sees nothing",
			func(_ *process, c nomad.Cluster) nomad.Cluster { return credulous{c} }),
		clusterOf("forget allocations that are out of touch",
			func(_ *process, c nomad.Cluster) nomad.Cluster { return overlooks{c, "unknown"} }),
		clusterOf("forget allocations whose poststop task runs",
			func(_ *process, c nomad.Cluster) nomad.Cluster { return overlooks{c, failed} }),
		clusterOf("cancel drains by half", func(_ *process, c nomad.Cluster) nomad.Cluster { return halfCancel{c} }),
		clusterOf("cancel operators' drains as well",
			func(_ *process, c nomad.Cluster) nomad.Cluster { return fullCancel{c} }),
	}
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
func (u unlockedStatus) Patch(ctx context.Context, o client.Object, p client.Patch,
	opts ...client.SubResourcePatchOption) error {
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
