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

// user is a pool, a member, or a member as far as its former Nomad is asked too.
type user struct {
	member, former bool
	name           types.NamespacedName
}

// maxConnections is how many connections to Nomad the pools and members of a namespace may use. Each has watchers and a
// view of its own, which take memory that all pools share.
const maxConnections = 50

// place is where a connection leads to and with whose credentials, but not what they are: a token that is rotated makes
// no other place.
type place struct{ address, region, secret string }

// use is the connection that a user has asked for last.
type use struct {
	cluster nomad.Cluster
	place   place
	nodeID  string // of a member
	pool    string // its own name, or that of a member's pool
	leaves  bool   // a member that is to be drained
	last    time.Time
	wakes   *rate.Limiter
}

// uses remembers which pools and members use which connection. Only these are woken by what happens there: what a
// server says concerns nobody else, whichever nodes it names. Its zero value remembers nothing.
type uses struct {
	mu sync.Mutex
	of map[user]*use
	at map[nomad.Cluster]*usedBy
	// places has how many users there are of each place, by namespace.
	places map[string]map[place]int
	// unused is called when nobody uses a cluster any more; nil: it isn't. The lock is held, so that nobody begins to use
	// it meanwhile.
	unused func(nomad.Cluster)
}

// usedBy are the users of a connection.
type usedBy struct {
	users   map[user]*use
	members map[string]user // by node ID
	health  *rate.Limiter
}

// note remembers that a pool or a member uses a connection from now on, and returns the cluster that get returns. It is
// called before the view is taken, so that no change after that is missed. It returns nil if the namespace uses as many
// connections as it may; one that leaves may all the same.
func (u *uses) note(of client.Object, former bool, to place, leaves bool, now time.Time,
	get func() nomad.Cluster) nomad.Cluster {
	is := user{former: former, name: client.ObjectKeyFromObject(of)}
	nodeID, pool := "", is.name.Name
	if n, ok := of.(*v1alpha1.NomadNode); ok {
		is.member, nodeID, pool = true, n.Spec.NodeID, n.Spec.PoolName
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	if used := u.places[is.name.Namespace]; used[to] == 0 && len(used) >= maxConnections && !leaves {
		u.drop(is)
		return nil
	}
	cluster := get()
	e := u.of[is]
	if e == nil || e.cluster != cluster || e.place != to || e.nodeID != nodeID {
		former := u.remove(is)
		e = &use{cluster: cluster, place: to, nodeID: nodeID, pool: pool, wakes: newUserWakes()}
		u.add(is, e)
		u.end(former)
	}
	e.last, e.leaves = now, leaves
	return cluster
}

// add is called with the lock held.
func (u *uses) add(is user, e *use) {
	if u.of == nil {
		u.of, u.at, u.places = map[user]*use{}, map[nomad.Cluster]*usedBy{}, map[string]map[place]int{}
	}
	by := u.at[e.cluster]
	if by == nil {
		by = &usedBy{users: map[user]*use{}, members: map[string]user{}, health: newHealthWakes()}
		u.at[e.cluster] = by
	}
	u.of[is], by.users[is] = e, e
	if u.places[is.name.Namespace] == nil {
		u.places[is.name.Namespace] = map[place]int{}
	}
	u.places[is.name.Namespace][e.place]++
	if is.member {
		by.members[e.nodeID] = is
	}
}

// drop is called with the lock held.
func (u *uses) drop(is user) { u.end(u.remove(is)) }

// end is called with the lock held, for a cluster that somebody used until now; nil: none.
func (u *uses) end(former nomad.Cluster) {
	if former != nil && u.at[former] == nil && u.unused != nil {
		u.unused(former)
	}
}

// remove is called with the lock held. It returns the cluster that the user has used; nil: none.
func (u *uses) remove(is user) nomad.Cluster {
	e := u.of[is]
	if e == nil {
		return nil
	}
	by := u.at[e.cluster]
	delete(u.of, is)
	delete(by.users, is)
	if by.members[e.nodeID] == is {
		delete(by.members, e.nodeID)
		same := user{member: true, former: !is.former, name: is.name} // both connections may lead to one Nomad
		if _, uses := by.users[same]; uses {
			by.members[e.nodeID] = same
		}
	}
	if len(by.users) == 0 {
		delete(u.at, e.cluster)
	}
	places := u.places[is.name.Namespace]
	if places[e.place]--; places[e.place] == 0 {
		delete(places, e.place)
	}
	if len(places) == 0 {
		delete(u.places, is.name.Namespace)
	}
	return e.cluster
}

// gone forgets a user.
func (u *uses) gone(is user) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.drop(is)
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
