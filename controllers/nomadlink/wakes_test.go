package nomadlink

import (
	"fmt"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

func poolNamed(name string) *v1alpha1.NomadNodePool {
	return &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
}

func memberNamed(name, pool, nodeID string) *v1alpha1.NomadNode {
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name}}
	n.Spec.PoolName, n.Spec.NodeID = pool, nodeID
	return n
}

// notes has an object use a cluster.
func notes(u *uses, of client.Object, c nomad.Cluster, at time.Time) {
	u.note(of, false, place{}, false, at, func() nomad.Cluster { return c })
}

// twoConnections are two Nomads, each with a pool and a member that use it.
func twoConnections() (u *uses, mine, theirs nomad.Cluster) {
	u, mine, theirs = &uses{}, &dialled{}, &dialled{last: nomad.Connection{Address: "theirs"}}
	notes(u, poolNamed("mine"), mine, now)
	notes(u, memberNamed("mine-1", "mine", "id-1"), mine, now)
	notes(u, poolNamed("theirs"), theirs, now)
	notes(u, memberNamed("theirs-1", "theirs", "id-2"), theirs, now)
	return u, mine, theirs
}

func woken(wakes []wake) []string {
	var names []string
	for _, w := range wakes {
		names = append(names, w.name.Name)
	}
	slices.Sort(names)
	return names
}

// What a server says concerns those that use it, whichever nodes it names.
func TestWakesStayWithinTheConnection(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*uses, nomad.Cluster)
		ids    []string
		want   []string
	}{
		"health":                    {want: []string{"theirs", "theirs-1"}},
		"its node":                  {ids: []string{"id-2"}, want: []string{"theirs-1"}},
		"another connection's node": {ids: []string{"id-1", "id-9"}, want: nil},
		"a pool that was led away": {
			change: func(u *uses, _ nomad.Cluster) { notes(u, poolNamed("theirs"), &dialled{}, now) },
			want:   []string{"theirs", "theirs-1"}, // its member is still there
		},
		"a member that was led away": {
			change: func(u *uses, _ nomad.Cluster) { notes(u, memberNamed("theirs-1", "theirs", "id-2"), &dialled{}, now) },
			ids:    []string{"id-2"}, want: nil,
		},
		"a member that was led here": {
			change: func(u *uses, c nomad.Cluster) { notes(u, memberNamed("mine-1", "mine", "id-1"), c, now) },
			ids:    []string{"id-1"}, want: []string{"mine-1"},
		},
		"all are gone": {change: func(u *uses, _ nomad.Cluster) { u.forget(now.Add(time.Second)) }, want: nil},
	} {
		u, _, theirs := twoConnections()
		if tc.change != nil {
			tc.change(u, theirs)
		}
		if got := woken(u.wakes(theirs, tc.ids, now)); !slices.Equal(got, tc.want) {
			t.Errorf("%s: %v are woken, want %v", name, got, tc.want)
		}
	}
}

// A connection that changes all the time wakes seldom, and one that changes now and then wakes at once.
func TestWakesAreLimited(t *testing.T) {
	for name, tc := range map[string]struct {
		ids     []string
		each    time.Duration
		atOnce  int // of a hundred
		longest time.Duration
	}{
		"health twice a second": {each: 500 * time.Millisecond, atOnce: 5 + 5, longest: healthWakesEvery},
		"health twice a minute": {each: 30 * time.Second, atOnce: 100},
		"a node ten times a second": {ids: []string{"id-1"}, each: 100 * time.Millisecond, atOnce: 5 + 10,
			longest: userWakesEvery},
		"a node each second": {ids: []string{"id-1"}, each: time.Second, atOnce: 100},
	} {
		u, mine, _ := twoConnections()
		atOnce, longest := 0, time.Duration(0)
		for i := range 100 {
			for _, w := range u.wakes(mine, tc.ids, now.Add(time.Duration(i)*tc.each)) {
				if longest = max(longest, w.after); w.name.Name == "mine-1" && w.after == 0 {
					atOnce++
				}
			}
		}
		if atOnce > tc.atOnce || atOnce < tc.atOnce-1 || longest > tc.longest {
			t.Errorf("%s: %d wake at once, the others wait for %s at most", name, atOnce, longest)
		}
	}
}

// All users of a connection together have a share: a pool of a thousand members is woken less often each.
func TestManyUsersShareTheirWakes(t *testing.T) {
	u, theirs := &uses{}, &dialled{}
	var ids []string
	for i := range 1000 {
		id := time.Duration(i).String()
		ids = append(ids, id)
		notes(u, memberNamed("m-"+id, "p", id), theirs, now)
	}
	atOnce := 0
	for second := range 60 {
		for _, w := range u.wakes(theirs, ids, now.Add(time.Duration(second)*time.Second)) {
			if w.after == 0 {
				atOnce++
			}
		}
	}
	if want := 1000*userWakesBurst + 60*50; atOnce > want {
		t.Errorf("%d wakes in a minute, want %d at most", atOnce, want)
	}
}

// Nothing is left of those that are gone.
func TestUsesAreForgotten(t *testing.T) {
	u, mine, _ := twoConnections()
	notes(u, memberNamed("mine-1", "mine", "id-1"), mine, now.Add(time.Hour))
	u.forget(now.Add(time.Minute))
	if len(u.of) != 1 || len(u.at) != 1 || len(u.at[mine].members) != 1 {
		t.Errorf("%d users of %d connections are left", len(u.of), len(u.at))
	}
	if _, left := u.of[user{member: true, name: types.NamespacedName{Namespace: "ns", Name: "mine-1"}}]; !left {
		t.Error("the one that is left isn't the one that was used")
	}
}

// What nobody uses any more is dropped at once, and what somebody uses isn't.
func TestUnusedClustersAreDropped(t *testing.T) {
	u, mine, theirs := twoConnections()
	var dropped []nomad.Cluster
	u.unused = func(c nomad.Cluster) { dropped = append(dropped, c) }
	step := func(what string, do func(), want ...nomad.Cluster) {
		t.Helper()
		dropped = nil
		if do(); !slices.Equal(dropped, want) {
			t.Errorf("%s: %d are dropped, want %d", what, len(dropped), len(want))
		}
	}
	rotated := &dialled{last: nomad.Connection{Token: "rotated"}}
	step("its member still uses it", func() { notes(u, poolNamed("mine"), rotated, now) })
	step("nobody does", func() { notes(u, memberNamed("mine-1", "mine", "id-1"), rotated, now) }, mine)
	step("another node ID", func() { notes(u, memberNamed("mine-1", "mine", "id-3"), rotated, now) })
	step("another place", func() {
		u.note(poolNamed("mine"), false, place{region: "eu"}, false, now, func() nomad.Cluster { return rotated })
		u.gone(user{member: true, name: types.NamespacedName{Namespace: "ns", Name: "mine-1"}})
		u.note(poolNamed("mine"), false, place{region: "us"}, false, now, func() nomad.Cluster { return rotated })
	})
	step("deleted", func() { u.gone(user{name: types.NamespacedName{Namespace: "ns", Name: "mine"}}) }, rotated)
	step("twice", func() { u.gone(user{name: types.NamespacedName{Namespace: "ns", Name: "mine"}}) })
	step("forgotten", func() { u.forget(now.Add(time.Second)) }, theirs)
}

// However often tokens are rotated, a namespace has no more clusters than users, and its limit is of places.
func TestRotatedTokensLeaveNoClusters(t *testing.T) {
	c, _, clock, api := credentials(tokenSecret())
	clusters := nomad.NewClusters(nomad.Options{})
	alive := map[nomad.Cluster]bool{}
	c.Clusters = clusters
	c.uses.unused = func(of nomad.Cluster) { delete(alive, of); clusters.Drop(of) }
	for i := range 3 * maxConnections {
		secret := tokenSecret()
		secret.Data["token"] = fmt.Append(nil, "token-", i)
		if err := api.Update(t.Context(), secret); err != nil {
			t.Fatal(err)
		}
		clock.SetTime(clock.Now().Add(credentialsTTL))
		l, err := c.Link(t.Context(), staying, v1alpha1.NomadSpec{NomadConnection: byRef})
		if err != nil || l.Cluster == nil {
			t.Fatalf("after %d: %+v, %v", i, l, err)
		}
		if alive[l.Cluster] = true; len(alive) != 1 {
			t.Fatalf("%d clusters", len(alive))
		}
	}
	c.ForgetMember(client.ObjectKeyFromObject(staying))
	if len(alive) != 0 {
		t.Errorf("%d clusters of a member that is gone", len(alive))
	}
}

// A member whose connection and former one lead to the same Nomad is woken by its node, whichever of the two ends.
func TestMemberIsWokenWhenOneOfItsConnectionsEnds(t *testing.T) {
	for _, ends := range []bool{false, true} {
		var u uses
		c, n := &listing{}, memberNamed("p-1", "p", memberID)
		for _, former := range []bool{!ends, ends} { // the one that ends is noted last
			u.note(n, former, place{}, false, now, func() nomad.Cluster { return c })
		}
		u.gone(user{member: true, former: ends, name: client.ObjectKeyFromObject(n)})
		if w := u.wakes(c, []string{memberID}, now); len(w) != 1 || w[0].name.Name != "p-1" {
			t.Errorf("former ends: %t; woken are %+v", ends, w)
		}
	}
}
