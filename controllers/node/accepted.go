package node

import (
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// accepted is what Nomad has been asked and has accepted for a member's drain request. Another process sends it again,
// and counts from then.
type accepted struct {
	request       string
	policy        sentPolicy
	cordon, drain nodestate.Accepted
	stop          nodestate.Stop
	extended      bool // it was given more time since
}

// sentPolicy is what of a drain's policy is sent to Nomad.
type sentPolicy struct {
	onTimeout        v1alpha1.DrainTimeoutAction
	ignoreSystemJobs bool
}

// acceptedFor returns what Nomad has accepted for the member's present drain request. A drain whose policy has changed
// since is sent anew, and is no new one.
func (r *Reconciler) acceptedFor(n *v1alpha1.NomadNode) accepted {
	state := nodestate.Of(n)
	if state.Drain == nil {
		return accepted{}
	}
	policy := sentPolicy{state.DrainOnTimeout(), state.Policy.IgnoreSystemJobs}
	is, _ := r.accepted.Get(client.ObjectKeyFromObject(n))
	switch {
	case is.request != state.Drain.ID:
		return accepted{request: state.Drain.ID, policy: policy}
	case is.policy != policy:
		is.policy, is.drain.Last, is.stop = policy, is.drain.First, nodestate.Stop{}
	}
	return is
}

// noteAccepted has note change that. A member is reconciled by one worker at a time.
func (r *Reconciler) noteAccepted(n *v1alpha1.NomadNode, note func(a *accepted, now time.Time)) {
	is := r.acceptedFor(n)
	note(&is, r.Clock.Now())
	r.accepted.Put(client.ObjectKeyFromObject(n), is)
}
