package machine

import "testing"

// mustRender renders a member, and has cloud-init judge its user data with the others of the package.
func mustRender(t *testing.T, m Member, f Facts) *Rendered {
	t.Helper()
	r, err := Render(m, f)
	if err != nil {
		t.Fatalf("Render: %v", err)
	}
	remember(t.Name(), r.Secret.Data)
	return r
}
