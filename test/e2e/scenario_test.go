package e2e

import (
	"os"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/scenario"
	"github.com/nomad-harvester/nomad-harvester/test/world"
)

// The story of the demo, with its assertions, in a world of its own.
func TestDemandScalesThePoolOutAndIn(t *testing.T) {
	t.Parallel()
	own, err := world.Start(t.Context(), world.Options{ACL: true, Progress: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := own.Stop(); err != nil {
			t.Error(err)
		}
	})
	s, err := scenario.Play(t.Context(), own, os.Stderr, false)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(s)
}
