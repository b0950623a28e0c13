package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func unhealthyAfter(d time.Duration) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Health.UnhealthyTimeout = metav1.Duration{Duration: d} }
}

// Of members that no longer work one is replaced at a time: the next is asked to leave when the one in the place of
// the last has joined. One that is protected stays as it is.
func TestBrokenMembersAreReplacedOneAtATime(t *testing.T) {
	t.Parallel()
	create(t, newPool("ill", 4, unhealthyAfter(unhealthyFor), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Health.MaxUnhealthy = new(intstr.FromString("100%"))
	}))
	eventually(t, "ill", "the pool to settle", time.Minute, allReady(4))
	nodes := members(t, "ill")
	protected, broken := nodes[0], map[string]bool{nodes[1].Name: true, nodes[2].Name: true}
	annotate(t, protected, v1alpha1.ProtectAnnotation, `""`)
	for i := range 3 {
		if err := w.Hypervisor.KillClient(client.ObjectKeyFromObject(&nodes[i])); err != nil {
			t.Fatal(err)
		}
	}
	requested, joined, most := map[string]time.Time{}, map[string]time.Time{}, 0
	eventually(t, "ill", "the two that aren't protected to be replaced", recoveryTime+2*time.Minute,
		func(p *v1alpha1.NomadNodePool, now []v1alpha1.NomadNode) error {
			leaving := 0
			for _, n := range now {
				switch {
				case n.Spec.Drain != nil:
					leaving++
					requested[n.Name] = n.Spec.Drain.RequestTime.Time
					if !broken[n.Name] || n.Spec.Drain.Reason != v1alpha1.DrainUnhealthy {
						t.Errorf("%s is to leave: %s", n.Name, n.Spec.Drain.Reason)
					}
				case n.Status.JoinedTime != nil && n.Name != protected.Name && n.Name != nodes[3].Name && !broken[n.Name]:
					joined[n.Name] = n.Status.JoinedTime.Time
				}
			}
			most = max(most, leaving)
			if len(joined) < 2 || len(now) != 4 {
				return fmt.Errorf("%d have joined, and there are %d members", len(joined), len(now))
			}
			return nil
		})
	if most > 1 {
		t.Errorf("%d were leaving at a time", most)
	}
	for name := range broken {
		reported(t, "ill", "MemberUnhealthy", name)
	}
	inTurn(t, requested, joined)
	rests(t, "ill", time.Second)
	if kept, ok := orders(members(t, "ill"))[protected.Name]; !ok || kept != "" {
		t.Errorf("the protected member isn't left as it is: %v, %q", ok, kept)
	}
	if err := w.Hypervisor.KillGuest(client.ObjectKeyFromObject(&protected)); err != nil { // it boots anew
		t.Fatal(err)
	}
	eventually(t, "ill", "it to be back", time.Minute, allReady(4))
	onlyMembersLeft(t, "ill")
}

// inTurn checks that the second was asked to leave when somebody had joined in the place of the first.
func inTurn(t *testing.T, requested, joined map[string]time.Time) {
	t.Helper()
	var last, first time.Time
	for _, at := range requested {
		if at.After(last) {
			last = at
		}
	}
	for _, at := range joined {
		if first.IsZero() || at.Before(first) {
			first = at
		}
	}
	if len(requested) != 2 || len(joined) != 2 || last.Before(first) {
		t.Errorf("ordered to leave: %v; joined: %v", requested, joined)
	}
}

// A member whose time is up while Nomad can't be asked stays: it may long be well. When Nomad is back, it is given a
// minute to hear of everybody before the member is replaced.
func TestBrokenMemberStaysWhileItsNomadIsAway(t *testing.T) {
	t.Parallel()
	const timeUp = 15 * time.Second
	way := wayToNomad(t)
	tokenSecret(t, "cutoff", w.NomadToken)
	create(t,
		newPool("cutoff", 3, unhealthyAfter(timeUp), credentials("cutoff"),
			func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = way.URL }))
	eventually(t, "cutoff", "the pool to settle", time.Minute, allReady(3))
	broken := members(t, "cutoff")[0]
	if err := w.Hypervisor.KillClient(client.ObjectKeyFromObject(&broken)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "cutoff", "it to be down", 30*time.Second, nomadStatus("down", 1))
	way.cutOff()
	eventually(t, "cutoff", "the pool to say that Nomad is away", 30*time.Second,
		reports(v1alpha1.PoolNomadReachable, v1alpha1.ReasonUnreachable))
	rests(t, "cutoff", timeUp)
	noneIsToLeave(t, "cutoff")

	healed := time.Now()
	way.cut.Store(false)
	eventually(t, "cutoff", "the pool to wait for Nomad to settle", 30*time.Second,
		reports(v1alpha1.PoolReady, v1alpha1.ReasonNomadRecovering))
	eventually(t, "cutoff", "the member to be ordered to leave", recoveryTime+30*time.Second,
		requested(v1alpha1.DrainUnhealthy, 1))
	if took := time.Since(healed); took < recoveryTime-5*time.Second {
		t.Errorf("it was ordered to leave %s after Nomad had come back", took)
	}
	eventually(t, "cutoff", "it to be replaced", time.Minute, both(without(broken.Name), allReady(3)))
	onlyMembersLeft(t, "cutoff")
}

// way is a way to Nomad that can be cut for whoever goes it.
type way struct {
	*httptest.Server
	cut atomic.Bool
}

// cutOff cuts it, and whoever is on it.
func (v *way) cutOff() {
	v.cut.Store(true)
	v.CloseClientConnections()
}

func wayToNomad(t *testing.T) *way {
	t.Helper()
	target, err := url.Parse(w.NomadAddr)
	if err != nil {
		t.Fatal(err)
	}
	to, out := httputil.NewSingleHostReverseProxy(target), &way{}
	to.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	out.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if out.cut.Load() {
			panic(http.ErrAbortHandler)
		}
		to.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		out.CloseClientConnections()
		out.Close()
	})
	return out
}
