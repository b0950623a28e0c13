package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/nomad/nomadtest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// A guest's owner may lead its client to another node pool. The member then isn't ready, and says where it is.
func TestGuestsThatRegisterElsewhereAreNamed(t *testing.T) {
	t.Parallel()
	create(t, newPool("misled", 1, func(p *v1alpha1.NomadNodePool) {
		p.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionNever // a token is for one node pool
	}))
	eventually(t, "misled", "the pool to settle", time.Minute, allReady(1))
	configure(t, members(t, "misled")[0], "client {\n  node_pool = \"elsewhere\"\n}\n")
	eventually(t, "misled", "the member to say where it is", 2*time.Minute,
		func(p *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			if len(nodes) != 1 {
				return fmt.Errorf("%d members", len(nodes))
			}
			c := memberCondition(nodes[0], v1alpha1.NodeReady)
			if c.Reason != v1alpha1.ReasonMisplaced || !strings.Contains(c.Message, `node pool "elsewhere", not "misled"`) {
				return fmt.Errorf("%s: %s", c.Reason, c.Message)
			}
			if p.Status.ReadyReplicas != 0 {
				return fmt.Errorf("it counts as ready: %+v", p.Status)
			}
			return nil
		})
}

// A second client with a member's name, which a copy of its introduction token or of its VM makes, is named while it
// lives.
func TestNamesakesAreNamed(t *testing.T) {
	t.Parallel()
	create(t, newPool("named", 1))
	eventually(t, "named", "the pool to settle", time.Minute, allReady(1))
	n := members(t, "named")[0]
	joined := func(reason, part string) check {
		return func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
			c := memberCondition(nodes[0], v1alpha1.NodeJoined)
			if c.Reason != reason || !strings.Contains(c.Message, part) {
				return fmt.Errorf("%s: %s", c.Reason, c.Message)
			}
			return nil
		}
	}
	other := nomadtest.StartClient(t, w.NomadServer, simclient.Options{Name: n.Name, NodePool: "named-elsewhere",
		Meta: map[string]string{v1alpha1.MetaPoolUID: n.Spec.PoolUID}})
	eventually(t, "named", "the other client to be told", time.Minute, joined(v1alpha1.ReasonNameShared, other.ID()))
	if err := other.Stop(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "named", "the other client to have gone", time.Minute, joined(v1alpha1.ReasonJoined, ""))
	if _, _, err := w.Nomad.Nodes().Purge(other.ID(), nil); err != nil {
		t.Error(err)
	}
}
