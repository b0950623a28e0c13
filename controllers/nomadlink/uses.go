package nomadlink

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// user is a pool or a member.
type user struct {
	member bool
	name   types.NamespacedName
}

// use is the connection that a user has asked for last.
type use struct {
	cluster nomad.Cluster
	nodeID  string // of a member
	pool    string // of a member
	last    time.Time
	wakes   *rate.Limiter
}

// uses remembers which pools and members use which connection. Only these are woken by what happens there: what a
// server says concerns nobody else, whichever nodes it names. Its zero value remembers nothing.
type uses struct {
	mu sync.Mutex
	of map[user]*use
	at map[nomad.Cluster]*usedBy
}

// usedBy are the users of a connection.
type usedBy struct {
	users   map[user]*use
	members map[string]user // by node ID
	health  *rate.Limiter
}

// note remembers that a pool or a member uses a connection from now on. It is called before the view is taken, so that
// no change after that is missed.
func (u *uses) note(of client.Object, cluster nomad.Cluster, now time.Time) {
	is := user{name: client.ObjectKeyFromObject(of)}
	var nodeID, pool string
	if n, ok := of.(*v1alpha1.NomadNode); ok {
		is.member, nodeID, pool = true, n.Spec.NodeID, n.Spec.PoolName
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	e := u.of[is]
	if e == nil || e.cluster != cluster || e.nodeID != nodeID {
		u.drop(is)
		e = &use{cluster: cluster, nodeID: nodeID, pool: pool, wakes: newUserWakes()}
		u.add(is, e)
	}
	e.last = now
}

// add is called with the lock held.
func (u *uses) add(is user, e *use) {
	if u.of == nil {
		u.of, u.at = map[user]*use{}, map[nomad.Cluster]*usedBy{}
	}
	by := u.at[e.cluster]
	if by == nil {
		by = &usedBy{users: map[user]*use{}, members: map[string]user{}, health: newHealthWakes()}
		u.at[e.cluster] = by
	}
	u.of[is], by.users[is] = e, e
	if is.member {
		by.members[e.nodeID] = is
	}
}

// drop is called with the lock held.
func (u *uses) drop(is user) {
	e := u.of[is]
	if e == nil {
		return
	}
	by := u.at[e.cluster]
	delete(u.of, is)
	delete(by.users, is)
	if by.members[e.nodeID] == is {
		delete(by.members, e.nodeID)
	}
	if len(by.users) == 0 {
		delete(u.at, e.cluster)
	}
}

// forget drops the users that haven't asked for their connection since, because they are gone: all others ask for it
// each Refresh.
func (u *uses) forget(since time.Time) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for is, e := range u.of {
		if e.last.Before(since) {
			u.drop(is)
		}
	}
}
