// Package rendertest renders members for tests.
package rendertest

import (
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

// Member renders a member, and has cloud-init judge its user data with the others of the package.
func Member(t *testing.T, m blueprint.Member, f blueprint.Facts) *render.Objects {
	t.Helper()
	r, err := render.Member(m, f)
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	cloudinittest.Remember(t.Name(), r.Secret.Data)
	return r
}
