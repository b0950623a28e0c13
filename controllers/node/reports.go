package node

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/controllers/kube"
	"github.com/nomad-harvester/nomad-harvester/internal/member"
)

// detailInterval is how often details of a member are written at most: while it starts, its VM goes through half a
// dozen states in a few seconds, and nobody reads each of them.
const detailInterval = 10 * time.Second

// reports remembers what was last reported of each member.
type reports struct {
	pace kube.Pace

	mu sync.Mutex
	// unsaid are the steps of which nothing was said since then.
	unsaid map[types.NamespacedName]member.Step
}

// rest reports if a change of the status is to be written now, and otherwise when; 0: the next observation comes at
// once. shown is a step whose effect the next observation shows, of which nothing is said, unless it is taken again and
// again; empty: none was taken.
func (r *reports) rest(name types.NamespacedName, shown member.Step, details bool,
	now time.Time) (wait time.Duration, write bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if shown != "" && r.unsaid[name] != shown {
		if r.unsaid == nil {
			r.unsaid = map[types.NamespacedName]member.Step{}
		}
		r.unsaid[name] = shown
		return 0, false
	}
	if left := r.pace.Left(name, now, detailInterval); details && left > 0 {
		return left, false
	}
	delete(r.unsaid, name)
	r.pace.Wrote(name, now)
	return 0, true
}

func (r *reports) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unsaid, name)
	r.pace.Forget(name)
}

// onlyDetails is true if two statuses differ only in what explains them further: words, and where the VM is.
func onlyDetails(a, b v1alpha1.NomadNodeStatus) bool {
	return equality.Semantic.DeepEqual(withoutDetails(a), withoutDetails(b))
}

func withoutDetails(s v1alpha1.NomadNodeStatus) v1alpha1.NomadNodeStatus {
	s = *s.DeepCopy()
	s.VM.Status, s.VM.Host, s.VM.Address = "", "", ""
	s.Nomad.Status, s.Nomad.ShortID, s.Nomad.Cluster, s.Nomad.Allocations, s.Nomad.Blocking = "", "", "", nil, nil
	kube.DropMessages(s.Conditions)
	return s
}
