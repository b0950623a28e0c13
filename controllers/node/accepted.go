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
	request       drainKey
	cordon, drain nodestate.Accepted
	stop          nodestate.Stop
	extended      bool // it was given more time since
}

// drainKey is a drain request, and what of its policy is sent to Nomad.
type drainKey struct {
	id               string
	onTimeout        v1alpha1.DrainTimeoutAction
	ignoreSystemJobs bool
}

func keyOf(n nodestate.Node) drainKey {
	if n.Drain == nil {
		return drainKey{}
	}
	return drainKey{n.Drain.ID, n.DrainOnTimeout(), n.Policy.IgnoreSystemJobs}
}

// acceptedFor returns what Nomad has accepted for the member's present drain request.
func (r *Reconciler) acceptedFor(n *v1alpha1.NomadNode) accepted {
	key := keyOf(nodestate.Of(n))
	if is, _ := r.accepted.Get(client.ObjectKeyFromObject(n)); is.request == key {
		return is
	}
	return accepted{request: key}
}

// noteAccepted has note change that. A member is reconciled by one worker at a time.
func (r *Reconciler) noteAccepted(n *v1alpha1.NomadNode, note func(a *accepted, now time.Time)) {
	is := r.acceptedFor(n)
	note(&is, r.Clock.Now())
	r.accepted.Put(client.ObjectKeyFromObject(n), is)
}
