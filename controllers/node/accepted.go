package node

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// accepted remembers what Nomad has accepted for each member's drain request. Its zero value remembers nothing. Nothing
// is written of it: another process sends it again, and counts from then.
type accepted struct {
	mu sync.Mutex
	by map[types.NamespacedName]acceptedFor
}

type acceptedFor struct {
	request       drainKey
	cordon, drain nodestate.Accepted
	extended      bool // it was given more time
}

// drainKey is a drain request, and what the drain does at its deadline.
type drainKey struct {
	id        string
	onTimeout v1alpha1.DrainTimeoutAction
}

func keyOf(n nodestate.Node) drainKey {
	if n.Drain == nil {
		return drainKey{}
	}
	return drainKey{n.Drain.ID, n.DrainOnTimeout()}
}

// of returns what Nomad has accepted for this drain request.
func (a *accepted) of(name types.NamespacedName, key drainKey) acceptedFor {
	a.mu.Lock()
	defer a.mu.Unlock()
	if is := a.by[name]; is.request == key {
		return is
	}
	return acceptedFor{request: key}
}

func (a *accepted) cordoned(name types.NamespacedName, key drainKey, now time.Time) {
	is := a.of(name, key)
	is.cordon = is.cordon.At(now)
	a.keep(name, is)
}

func (a *accepted) drained(name types.NamespacedName, key drainKey, now time.Time) {
	is := a.of(name, key)
	is.drain = is.drain.At(now)
	a.keep(name, is)
}

func (a *accepted) extended(name types.NamespacedName, key drainKey) {
	is := a.of(name, key)
	is.extended = true
	a.keep(name, is)
}

func (a *accepted) keep(name types.NamespacedName, is acceptedFor) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.by == nil {
		a.by = map[types.NamespacedName]acceptedFor{}
	}
	a.by[name] = is
}

func (a *accepted) forget(name types.NamespacedName) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.by, name)
}
