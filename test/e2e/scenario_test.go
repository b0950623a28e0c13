package e2e

import (
	"os"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/scenario"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
)

// What the demo shows, with its assertions.
func TestDemandScalesThePoolOutAndIn(t *testing.T) {
	t.Parallel()
	t.Cleanup(func() {
		if _, _, err := w.Nomad.Jobs().Deregister(scenario.JobID, false, nil); err != nil {
			t.Error(err)
		}
		remove(t,
			&v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: scenario.PoolName}})
	})
	s, err := scenario.Play(t.Context(), w, os.Stderr, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s)
}
