package sim

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
	"github.com/nomad-harvester/nomad-harvester/internal/pool"
)

// forceMutants have forced drains go on.
func forceMutants() []Mutation {
	return []Mutation{
		sees("count the end of a forced drain from Nomad's last report",
			func(o *nodestate.State) { o.Node.ForcedTime = time.Time{} }),
		sees("give all tasks the longest time to stop", func(o *nodestate.State) {
			longest := member.MaxGrace
			o.Nomad.StopTime = &longest
		}),
		sees("leave a drain that runs on to a deadline that somebody has changed", func(o *nodestate.State) {
			if in := o.Node.Drain; in != nil && !o.Now.Before(in.DeadlineTime.Time) {
				at := in.DeadlineTime.Time
				o.Stop = nodestate.Stop{Asked: at, Accepted: at} // as if Nomad had been asked then
			}
		}),
		instead("never give up a forced drain", member.Wait, func(_ nodestate.State, d member.Decision) bool {
			return d.Step == member.MarkDrained && d.Drained.Result == v1alpha1.DrainDeadlinePassed
		}),
	}
}

// otherIDMutants mistake guests that work under another ID.
func otherIDMutants() []Mutation {
	return []Mutation{
		sees("overlook guests that work under another ID", func(o *nodestate.State) { o.Nomad.Other = nil }),
		poolSees("replace guests that work under another ID", func(s *pool.Snapshot) {
			for i := range s.Members {
				if b := s.Members[i].Blocked; b != nil && b.By == v1alpha1.BlockedByOtherNode {
					s.Members[i].Blocked = nil
				}
			}
		}),
		describes("don't name the other ID", func(_ nodestate.State, d member.Description) {
			if c := d.Conditions[v1alpha1.NodeJoined]; c.Reason == v1alpha1.ReasonNodeIDDiffers {
				d.Conditions[v1alpha1.NodeJoined] = metav1.Condition{Status: c.Status, Reason: v1alpha1.ReasonJoining,
					Message: "The guest hasn't registered."}
			}
		}),
		{Name: "don't look once more for another ID right before the VM goes",
			Cluster: func(p *process, c nomad.Cluster) nomad.Cluster { return forgetsOthers{c, p} }},
	}
}

// forgetsOthers looks for no node of another ID of a member that is drained.
type forgetsOthers struct {
	nomad.Cluster
	p *process
}

// NodesOf shows none then.
func (l forgetsOthers) NodesOf(ctx context.Context, poolUID, member string) ([]nomad.Node, error) {
	if m := l.p.w.checks.members[member]; m != nil && !m.drainedAt.IsZero() {
		return nil, nil
	}
	return l.Cluster.NodesOf(ctx, poolUID, member)
}
