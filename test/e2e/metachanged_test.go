package e2e

import (
	"testing"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Somebody takes the key by which the controller finds its nodes out of a member's meta, as a job on it could. The
// member says so until the key is back, and without it leaves as any other.
func TestMemberWhoseMetaIsChanged(t *testing.T) {
	t.Parallel()
	create(t, newPool("hidden", 1))
	eventually(t, "hidden", "the member to join", time.Minute, allReady(1))
	n := members(t, "hidden")[0]
	unlisted := both(nomadStatus("unlisted", 1), memberReports(1, v1alpha1.NodeReady, v1alpha1.ReasonNodeMetaChanged,
		v1alpha1.MetaPoolUID+"="+n.Spec.PoolUID))
	applyPoolUID(t, n.Spec.NodeID, nil)
	eventually(t, "hidden", "the member to report its node's meta", time.Minute, unlisted)
	reported(t, "hidden", "NodeMetaChanged", n.Spec.NodeID)
	applyPoolUID(t, n.Spec.NodeID, &n.Spec.PoolUID)
	eventually(t, "hidden", "the member to be ready again", time.Minute, allReady(1))

	applyPoolUID(t, n.Spec.NodeID, nil)
	eventually(t, "hidden", "the member to be unlisted again", time.Minute, unlisted)
	if err := scale(t, "hidden", 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "hidden", "the member to leave", time.Minute, allReady(0))
	if err := gone(t.Context(), "hidden"); err != nil {
		t.Error(err)
	}
}

// applyPoolUID does what nomad node meta apply does; nil: with -unset.
func applyPoolUID(t *testing.T, nodeID string, uid *string) {
	t.Helper()
	_, err := w.Nomad.Nodes().Meta().Apply(
		&api.NodeMetaApplyRequest{NodeID: nodeID, Meta: map[string]*string{v1alpha1.MetaPoolUID: uid}}, nil)
	if err != nil {
		t.Fatal(err)
	}
}
