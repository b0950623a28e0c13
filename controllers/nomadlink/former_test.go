package nomadlink

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const (
	formerAddress, newAddress = "http://former", "http://new"
	memberID                  = "id-2"
)

// listing is a Nomad with some nodes, which answers or doesn't. Its leader knows more than it lists.
type listing struct {
	nomad.Cluster
	health  nomad.Health
	nodes   map[string]nomad.Node
	leaders map[string]nomad.Node
	refuses error

	token     string
	refreshes int
}

func (l *listing) Inspect(_ context.Context, id string) (nomad.Inspection, error) {
	n, found := l.leaders[id]
	return nomad.Inspection{Found: found, Node: n}, l.refuses
}

func (l *listing) NodesOf(context.Context, string, string) ([]nomad.Node, error) {
	return slices.Collect(maps.Values(l.leaders)), l.refuses
}

func (l *listing) IntroductionToken(context.Context, string, string, time.Duration) (string, bool, error) {
	return l.token, true, nil
}

func (l *listing) Refresh() { l.refreshes++ }

func (l *listing) View() nomad.View { return nomad.View{Taken: now, Health: l.health, Nodes: l.nodes} }

func formerAt(address string) *v1alpha1.FormerNomad {
	return &v1alpha1.FormerNomad{NomadConnection: v1alpha1.NomadConnection{Address: address}}
}

// byAddress are some Nomads.
type byAddress map[string]*listing

func (b byAddress) Get(c nomad.Connection) nomad.Cluster { return b[c.Address] }

// movedMember is a member whose pool was led from one Nomad to another, and the connections to both.
func movedMember(former, later *listing) (*Connections, *v1alpha1.NomadNode) {
	n := memberNamed("p-2", "p", memberID)
	n.Spec.Nomad.Address, n.Spec.FormerNomad = newAddress, formerAt(formerAddress)
	return &Connections{Clock: clocktesting.NewFakePassiveClock(now),
		Defaults: Config{Namespaces: allowed{"*/*/*"}, Addresses: allowed{"*"}},
		Clusters: byAddress{formerAddress: former, newAddress: later}}, n
}

// Somebody has led a pool to another Nomad and left its servers: a new member's guest joins the former one. It is asked
// for in both until it is found, and isn't missing while one of them can't be asked.
func TestGuestIsFoundInTheFormerNomad(t *testing.T) {
	reachable, away := nomad.Health{State: nomad.HealthReachable}, nomad.Health{State: nomad.HealthUnreachable, Cause: "No answer."}
	listed := map[string]nomad.Node{memberID: {ID: memberID}}
	seenAt := func(where string) func(*v1alpha1.NomadNode) {
		return func(n *v1alpha1.NomadNode) { n.Status.Nomad.Cluster = where }
	}
	unseen := seenAt("")
	for name, tc := range map[string]struct {
		former, new listing
		member      func(*v1alpha1.NomadNode)
		where       string
		known       bool
		message     string
	}{
		"it is there":               {listing{health: reachable, nodes: listed}, listing{health: reachable}, unseen, formerAddress, true, ""},
		"and the new one is away":   {listing{health: reachable, nodes: listed}, listing{health: away}, unseen, formerAddress, true, ""},
		"it was there a moment ago": {listing{health: away, nodes: listed}, listing{health: reachable}, unseen, formerAddress, false, "No answer"},
		"it is in neither":          {listing{health: reachable}, listing{health: reachable}, unseen, newAddress, true, ""},
		"it is in the new one":      {listing{health: away}, listing{health: reachable, nodes: listed}, unseen, newAddress, true, ""},
		"the former one is away":    {listing{health: away}, listing{health: reachable}, unseen, newAddress, false, "led to http://former, and may have joined the Nomad there. Nomad at http://former can't be asked: No answer.; check that spec.formerNomad.address is right"},
		"nobody has asked it yet":   {listing{}, listing{health: reachable}, unseen, newAddress, false, "http://former"},
		"both are away":             {listing{health: away}, listing{health: away}, unseen, newAddress, false, "No answer"},
		"it was seen there, and a job hides it": {listing{health: reachable}, listing{health: reachable}, seenAt(formerAddress),
			formerAddress, true, ""},
		"it was seen in the new one": {listing{health: away}, listing{health: reachable}, seenAt(newAddress), newAddress, true, ""},
		"it has joined, nobody knows where": {listing{health: away}, listing{health: reachable}, func(n *v1alpha1.NomadNode) {
			n.Status.JoinedTime = &metav1.Time{Time: now}
		}, newAddress, true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			c, n := movedMember(&tc.former, &tc.new)
			tc.member(n)
			l, err := c.Link(t.Context(), n, n.Spec.Nomad)
			if err != nil {
				t.Fatal(err)
			}
			if l.Former != (tc.where == formerAddress) || l.Where != tc.where {
				t.Errorf("it is asked for at %s, which is the former: %t", l.Where, l.Former)
			}
			if l = l.Of(n); l.Known != tc.known || !strings.Contains(l.Message, tc.message) {
				t.Errorf("known: %t, %s", l.Known, l.Message)
			}
			if wantNotAsked := tc.former.health.State == "" && !tc.known; l.NotAsked != wantNotAsked {
				t.Errorf("not asked yet: %t", l.NotAsked)
			}
		})
	}
}

// Two spellings of one address are one Nomad, and a former one that pools may no longer name can't be asked.
func TestFormerNomadThatIsTheSameOrForbidden(t *testing.T) {
	c := &Connections{Clock: clocktesting.NewFakePassiveClock(now),
		Defaults: Config{Namespaces: allowed{"*/*/*"}, Addresses: allowed{"new"}},
		Clusters: byAddress{newAddress: {health: nomad.Health{State: nomad.HealthReachable}}}}
	n := memberNamed("p-2", "p", memberID)
	n.Spec.Nomad.Address, n.Spec.FormerNomad = newAddress, formerAt(newAddress+"/")
	if l, err := c.Link(t.Context(), n, n.Spec.Nomad); err != nil || !l.Known || l.Former {
		t.Errorf("%+v, %v", l, err)
	}
	n.Spec.FormerNomad.Address = formerAddress
	for _, seen := range []string{"", formerAddress} {
		n.Status.Nomad.Cluster = seen
		l, err := c.Link(t.Context(), n, n.Spec.Nomad)
		if err != nil || l.Known || l.Former != (seen != "") || !strings.Contains(l.Of(n).Message, `pools may not name "http://former"`) {
			t.Errorf("%+v, %v", l, err)
		}
	}
	n.Status.Nomad.Cluster = newAddress
	if l, err := c.Link(t.Context(), n, n.Spec.Nomad); err != nil || !l.Known || l.Former {
		t.Errorf("%+v, %v", l, err)
	}
}

// What happens in either Nomad wakes the member, and a member that is gone uses neither.
func TestBothNomadsWakeAMember(t *testing.T) {
	former, later := &listing{}, &listing{}
	c, n := movedMember(former, later)
	if _, err := c.Link(t.Context(), n, n.Spec.Nomad); err != nil {
		t.Fatal(err)
	}
	for _, at := range []*listing{former, later} {
		if w := c.uses.wakes(at, []string{memberID}, now.Add(time.Minute)); len(w) != 1 || w[0].name.Name != "p-2" {
			t.Errorf("woken are %+v", w)
		}
	}
	c.ForgetMember(client.ObjectKeyFromObject(n))
	if len(c.uses.of) != 0 {
		t.Errorf("left are %+v", c.uses.of)
	}
}

// Before a step that can't be undone both leaders are asked: the guest may have joined either a moment ago, or under
// another ID. If one doesn't answer, nothing is known.
func TestBothLeadersAreAsked(t *testing.T) {
	const other = "id-9"
	refused, errFound := errors.New("refused"), errors.New("found in the former")
	for name, tc := range map[string]struct {
		former, new listing
		found       bool
		others      int
		err         error // errFound for one that the former has
	}{
		"in neither":           {},
		"in the former":        {former: listing{leaders: map[string]nomad.Node{memberID: {}}}, err: errFound, others: 1},
		"in the new one":       {new: listing{leaders: map[string]nomad.Node{memberID: {}}}, found: true, others: 1},
		"under another ID":     {former: listing{leaders: map[string]nomad.Node{other: {}}}, others: 1},
		"the former refuses":   {former: listing{refuses: refused}, err: refused},
		"the new one refuses":  {new: listing{refuses: refused}, err: refused},
		"in both, as it seems": {former: listing{leaders: map[string]nomad.Node{memberID: {}}}, new: listing{leaders: map[string]nomad.Node{memberID: {}}}, found: true, others: 2},
	} {
		t.Run(name, func(t *testing.T) {
			tc.former.health.State, tc.new.health.State = nomad.HealthReachable, nomad.HealthReachable
			tc.former.nodes = map[string]nomad.Node{other: {ID: other, Name: "p-2"}, "of-others": {ID: "of-others"}}
			c, n := movedMember(&tc.former, &tc.new)
			l, err := c.Link(t.Context(), n, n.Spec.Nomad)
			if err != nil || !l.Known || len(l.View.Nodes) != 1 || l.View.Nodes[other].ID != other {
				t.Fatalf("%+v, %v", l, err)
			}
			tc.former.token, tc.new.token = "of the former", "of the new one"
			for joined, want := range map[bool]string{false: tc.new.token, true: tc.former.token} {
				n.Spec.FormerNomad.Joined = joined
				l, err := c.Link(t.Context(), n, n.Spec.Nomad)
				if token, _, _ := l.Cluster.IntroductionToken(t.Context(), "p-2", "p", 0); token != want || err != nil {
					t.Errorf("others have joined the former: %t; it is introduced with the token %s, %v", joined, token, err)
				}
			}
			in, err := l.Cluster.Inspect(t.Context(), memberID)
			if found, ok := errors.AsType[*FoundInFormerError](err); ok && found.Where == formerAddress {
				err = errFound
			}
			if in.Found != tc.found || !errors.Is(err, tc.err) {
				t.Errorf("found: %t, %v", in.Found, err)
			}
			_, works := tc.former.leaders[other]
			if in, err = l.Cluster.Inspect(t.Context(), other); err == nil && in.Found != works {
				t.Errorf("another node is found: %t", in.Found)
			}
			others, err := l.Cluster.NodesOf(t.Context(), "uid", "p-2")
			if errors.Is(tc.err, refused) != errors.Is(err, refused) || err == nil && len(others) != tc.others {
				t.Errorf("with that name: %+v, %v", others, err)
			}
			if soon := errors.Is(tc.err, errFound); soon != (tc.former.refreshes == 1) {
				t.Errorf("the former is listed anew %d times", tc.former.refreshes)
			}
		})
	}
}

// A pool has a link for each of its members that boot, and no copy of the former Nomad's list with each.
func TestLinksToFormerNomadsShareTheList(t *testing.T) {
	reachable := nomad.Health{State: nomad.HealthReachable}
	former, later := &listing{health: reachable, nodes: map[string]nomad.Node{}}, &listing{health: reachable, nodes: map[string]nomad.Node{}}
	for i := range 1000 {
		id := fmt.Sprint("of-others-", i)
		former.nodes[id] = nomad.Node{ID: id, Name: id, Address: "10.0.0.1"}
		later.nodes[id] = nomad.Node{ID: id, Name: id}
	}
	c, n := movedMember(former, later)
	if allocs := testing.AllocsPerRun(10, func() {
		if _, err := c.Link(t.Context(), n, n.Spec.Nomad); err != nil {
			t.Fatal(err)
		}
	}); allocs > 50 {
		t.Errorf("%.0f allocations", allocs)
	}
}
