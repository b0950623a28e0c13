package node

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// A member whose time to join was over while Nomad couldn't be asked says that it should have joined when its pool
// judges so, not before.
func TestMemberSaysWhatItsPoolSaysOfJoining(t *testing.T) {
	at := metav1.NewTime(now.Add(-time.Minute))
	for name, c := range map[string]struct {
		is      *v1alpha1.SuspensionStatus
		of      types.UID
		expired bool
	}{
		"never":                {nil, "u", true},
		"Nomad isn't known":    {&v1alpha1.SuspensionStatus{NomadUnknown: true}, "u", false},
		"Harvester upgrades":   {&v1alpha1.SuspensionStatus{Upgrading: true}, "u", false},
		"on its host":          {&v1alpha1.SuspensionStatus{Hosts: []string{"host-1"}}, "u", false},
		"on another host":      {&v1alpha1.SuspensionStatus{Hosts: []string{"host-2"}}, "u", true},
		"over":                 {&v1alpha1.SuspensionStatus{ResumedTime: &at}, "u", false},
		"of a former pool":     {&v1alpha1.SuspensionStatus{ResumedTime: &at}, "v", true},
		"there is no pool":     {nil, "", true},
		"over for a long time": {&v1alpha1.SuspensionStatus{ResumedTime: &metav1.Time{Time: now.Add(-10 * time.Minute)}}, "u", true},
	} {
		t.Run(name, func(t *testing.T) {
			s := newFixture(func(n *v1alpha1.NomadNode, s *fixture) []client.Object {
				objects := running(n, s, nomad.Node{})
				n.Status.JoinedTime, n.Status.VM.Host, s.nomad.view.Nodes = nil, "host-1", nil
				if c.of == "" {
					return objects
				}
				return append(objects, &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "p", UID: c.of},
					Status: v1alpha1.NomadNodePoolStatus{Suspension: c.is}})
			})
			s.reconcile(t)
			joined := nodestate.Condition(s.node(t), v1alpha1.NodeJoined)
			if got := joined.Reason == v1alpha1.ReasonJoinTimeout; got != c.expired {
				t.Errorf("%+v", joined)
			}
			if e := s.event(); strings.Contains(e, "JoinTimeout") != c.expired {
				t.Errorf("Event %q", e)
			}
		})
	}
}
