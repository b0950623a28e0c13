package e2e

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
)

// Somebody leads a pool to another Nomad, first by its address alone. New members join the former one, as their servers
// say: they are found there, work on, and nobody is replaced, until the servers are changed as well. Then all drain
// where they are, and new ones join the other Nomad.
func TestPoolIsMovedToAnotherNomadInTwoEdits(t *testing.T) {
	t.Parallel()
	other := nomadtest.Start(t, nomad.ServerOptions{})
	create(t, newPool("moved", 2, joinWithin(time.Minute), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Rollout.MaxSurge = new(intstr.FromInt32(1))
	}))
	eventually(t, "moved", "the pool to settle", time.Minute, allReady(2))
	service(t, "moved", "moved-service", 2)
	work := allocationStates(t, "moved-service")

	change(t, "moved", func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.Address, p.Spec.Replicas = other.Addr, ptr.To[int32](3)
	})
	eventually(t, "moved", "the new member to be found in the former Nomad", 2*time.Minute, both(allReady(3),
		reports(v1alpha1.PoolUpToDate, v1alpha1.ReasonServersElsewhere, w.NomadAddr)))
	stays(t, "moved", "nobody is replaced", 5*time.Second, both(allReady(3), requested("", 3)))
	if got := allocationStates(t, "moved-service"); !maps.Equal(got, work) {
		t.Errorf("the allocations are %v, not %v", got, work)
	}

	if _, _, err := w.Nomad.Jobs().Deregister("moved-service", true, nil); err != nil { // it has nowhere else to go
		t.Fatal(err)
	}
	change(t, "moved", func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Servers = []string{other.RPCAddr} })
	eventually(t, "moved", "all members to be in the other Nomad", 3*time.Minute, both(rolledOut(3), joined(other)))
	onlyMembersLeft(t, "moved")
}

// The servers are changed first, and nobody has joined the Nomad at the former address with them: new members are
// introduced where the address leads to then.
func TestPoolIsMovedToAnotherNomadServersFirst(t *testing.T) {
	t.Parallel()
	other := nomadtest.Start(t, nomad.ServerOptions{})
	create(t, newPool("moving", 2, joinWithin(20*time.Second)))
	eventually(t, "moving", "the pool to settle", time.Minute, allReady(2))
	change(t, "moving", func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Servers = []string{other.RPCAddr} })
	eventually(t, "moving", "a new member to boot", time.Minute,
		func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			for _, n := range nodes {
				if n.Spec.Nomad.Servers[0] == other.RPCAddr && n.Status.VM.UID != "" {
					return nil
				}
			}
			return errNotYet
		})
	change(t, "moving", func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Address = other.Addr })
	eventually(t, "moving", "all members to be in the other Nomad", 3*time.Minute, both(rolledOut(2), joined(other)))
	onlyMembersLeft(t, "moving")
}

// joined is satisfied when a Nomad's nodes are those of a pool's members.
func joined(server *nomad.Server) check {
	return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		list, _, err := server.Client.Nodes().List(nil)
		if err != nil {
			return err
		}
		var got, want []string
		for _, n := range list {
			got = append(got, n.ID)
		}
		for _, n := range nodes {
			want = append(want, n.Spec.NodeID)
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			return fmt.Errorf("it has the nodes %v, and the members' are %v", got, want)
		}
		return nil
	}
}
