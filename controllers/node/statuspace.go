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

// change is how much a status has changed.
type change int

const (
	// facts are what later steps rest on, such as when the member joined: they are written at once.
	facts change = iota
	// description is the phase and the conditions, whose reasons or status have changed.
	description
	// details are what explains them further.
	details
)

// changeOf is the most that has changed from one status to another.
func changeOf(a, b v1alpha1.NomadNodeStatus) change {
	switch {
	case !equality.Semantic.DeepEqual(withoutDescription(a), withoutDescription(b)):
		return facts
	case !equality.Semantic.DeepEqual(withoutDetails(a), withoutDetails(b)):
		return description
	default:
		return details
	}
}

// rest is how long a change is to rest before it is written; 0: write says if it is written now, or if the next
// observation comes at once. shown is a step whose effect that observation shows, so that the member isn't described
// before, unless the step is taken again and again; empty: none was taken.
func (r *reports) rest(name types.NamespacedName, shown member.Step, of change,
	now time.Time) (wait time.Duration, write bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if of == facts {
		return 0, true
	}
	if shown != "" && r.unsaid[name] != shown {
		if r.unsaid == nil {
			r.unsaid = map[types.NamespacedName]member.Step{}
		}
		r.unsaid[name] = shown
		return 0, false
	}
	if left := r.pace.Left(name, now, detailInterval); of == details && left > 0 {
		return left, false
	}
	return 0, true
}

// wrote notes that the status is written.
func (r *reports) wrote(name types.NamespacedName, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unsaid, name)
	r.pace.Wrote(name, now)
}

func (r *reports) forget(name types.NamespacedName) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.unsaid, name)
	r.pace.Forget(name)
}

func withoutDetails(s v1alpha1.NomadNodeStatus) v1alpha1.NomadNodeStatus {
	s = *s.DeepCopy()
	s.VM.Status, s.VM.Address = "", ""
	s.Nomad.Status, s.Nomad.Allocations, s.Nomad.Blocking = "", nil, nil
	kube.DropMessages(s.Conditions)
	return s
}

func withoutDescription(s v1alpha1.NomadNodeStatus) v1alpha1.NomadNodeStatus {
	s = withoutDetails(s)
	s.ObservedGeneration, s.Phase, s.BlockedBy, s.Conditions = 0, "", "", nil
	return s
}
