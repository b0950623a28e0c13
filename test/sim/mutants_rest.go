package sim

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	nodectrl "github.com/nomad-harvester/nomad-harvester/controllers/node"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// untrueMutants say of pools and members at rest what isn't so.
func untrueMutants() []Mutation {
	wrong := func(name, kind string, status metav1.ConditionStatus) Mutation {
		return describes(name, func(o nodestate.State, d member.Description) {
			if o.Nomad.Ready() && !o.Node.Leaving() {
				d.Conditions[kind] = metav1.Condition{Status: status, Reason: "Wrong", Message: "This isn't so."}
			}
		})
	}
	also := func(name string, f func(*member.Description)) Mutation {
		return Mutation{Name: name, Node: func(_ *process, r *nodectrl.Reconciler) {
			describe := r.Describe
			r.Describe = func(o nodestate.State, out member.Outcome) member.Description {
				d := describe(o, out)
				if o.Nomad.Ready() && !o.Node.Leaving() {
					f(&d)
				}
				return d
			}
		}}
	}
	blocked := func(name string, f func(*pool.Plan, *condition.Problem)) Mutation {
		return poolDecides(name, func(s pool.Snapshot, decide func(pool.Snapshot) pool.Plan) pool.Plan {
			p := decide(s)
			if !p.Acts() {
				f(&p, &condition.Problem{Reason: v1alpha1.ReasonPaused, Message: "This isn't so."})
			}
			return p
		})
	}
	return []Mutation{
		wrong("call members that work unready", v1alpha1.NodeReady, "False"),
		wrong("forget who has joined", v1alpha1.NodeJoined, "Unknown"),
		wrong("say that VMs that run don't", v1alpha1.NodeVMReady, "False"),
		wrong("call members that stay drained", v1alpha1.NodeDrainCompleted, "Unknown"),
		wrong("call for a person without need", v1alpha1.NodeStalled, "True"),
		also("call members that work joining", func(d *member.Description) { d.Phase = v1alpha1.NodeJoining }),
		also("say that members that work are blocked",
			func(d *member.Description) { d.BlockedBy = v1alpha1.BlockedByHalt }),
		blocked("say that nobody is replaced", func(p *pool.Plan, why *condition.Problem) { p.RepairBlocked = why }),
		blocked("say that nobody can leave", func(p *pool.Plan, why *condition.Problem) { p.ScaleInBlocked = why }),
		blocked("say that nobody is made", func(p *pool.Plan, why *condition.Problem) {
			p.ScaleOutBlocked = &nodestate.Blocked{By: v1alpha1.BlockedByPause, Problem: *why}
		}),
	}
}
