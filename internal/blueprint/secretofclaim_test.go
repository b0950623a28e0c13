package blueprint_test

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

func TestSecretOfClaim(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z]{1,3}(-[a-z0-9]{1,3}){0,2}`)
		m := blueprint.Member{
			Name:   name.Draw(t, "member"),
			NodeID: rapid.StringMatching(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`).Draw(t, "ID"),
		}
		m.Template.Disks = []v1alpha1.Disk{{Name: name.Draw(t, "disk")}, {Name: name.Draw(t, "disk")}}
		for _, claim := range blueprint.ClaimNames(m) {
			if got, ok := blueprint.SecretOfClaim(m.Name, claim); !ok || got != blueprint.SecretName(m) {
				t.Fatalf("claim %s of %s: %q, not %s", claim, m.Name, got, blueprint.SecretName(m))
			}
		}
	})
}

func TestOtherClaimsHaveNoSecret(t *testing.T) {
	t.Parallel()
	for _, claim := range []string{"", "p-1", "p-1-", "p-1-root", "p-1-root-", "p-1--aaaaaaaa", "p-2-root-aaaaaaaa",
		"data", "p-1-root-backup", "p-1-root-1", "p-1-root-aaaaaaaaa", "p-1-root-AAAAAAAA", "p-1-db-password"} {
		if got, ok := blueprint.SecretOfClaim("p-1", claim); ok {
			t.Errorf("%q: %q", claim, got)
		}
	}
	if got, ok := blueprint.SecretOfClaim("", "-root-aaaaaaaa"); ok {
		t.Errorf("without a member: %q", got)
	}
}
