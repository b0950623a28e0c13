package node

import (
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
)

const (
	// detailInterval is how often details of a member are written at most.
	detailInterval = 10 * time.Second
	// startInterval is the same for a member that starts. Its VM and its guest go through half a dozen states, and nobody
	// reads each of them; that the VM runs, and that the guest is ready, is written at once.
	startInterval = 30 * time.Second
	// removalInterval is the same for a member that is being removed: there is no more to be said of it, unless something
	// is in its way, which isn't a detail.
	removalInterval = time.Minute
)

// rest is how long a new status is to rest before it is written, because it differs only in details; 0: it is written
// now.
func (r *Reconciler) rest(s *scope, status v1alpha1.NomadNodeStatus) time.Duration {
	if !onlyDetails(s.node.Status, status) {
		return 0
	}
	interval := detailInterval
	switch is := s.observed.Node; {
	case is.Drained:
		interval = removalInterval
	case !is.Joined && !is.Leaving():
		interval = startInterval
	}
	return r.pace.Left(client.ObjectKeyFromObject(s.node), s.observed.Now, interval)
}

// onlyDetails is true if two statuses differ in nothing but what explains the rest further.
func onlyDetails(a, b v1alpha1.NomadNodeStatus) bool {
	return equality.Semantic.DeepEqual(withoutDetails(a), withoutDetails(b))
}

// withoutDetails keeps what later steps rest on and what people and programs act on: the times, the phase, what blocks
// the member, and the status and the reason of its conditions. Of what VMReady says Ready says what matters. In which
// Nomad a guest has registered is no detail, ready or not: nothing else shows that it isn't in the one that the
// connection leads to a moment later.
func withoutDetails(s v1alpha1.NomadNodeStatus) v1alpha1.NomadNodeStatus {
	s = *s.DeepCopy()
	s.VM.Status, s.VM.Address, s.VM.Host = "", "", ""
	s.Nomad.Status, s.Nomad.Allocations, s.Nomad.Blocking = "", nil, nil
	kube.DropMessages(s.Conditions)
	s.Conditions = slices.DeleteFunc(s.Conditions, func(c metav1.Condition) bool { return c.Type == v1alpha1.NodeVMReady })
	if s.DrainResult != "" { // its deletion is a new generation, and nothing follows from the spec any more
		s.ObservedGeneration = 0
		for i := range s.Conditions {
			s.Conditions[i].ObservedGeneration = 0
		}
	}
	return s
}
