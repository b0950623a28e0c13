package cloudinit

import (
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

// renderSecret is a member's Secret, unless its user data is refused.
func renderSecret(m blueprint.Member, f blueprint.Facts) (*corev1.Secret, error) {
	text, _ := f.Text(m.Template.CloudInit.UserData, m.Template.CloudInit.UserDataSecretRef)
	if err := CheckUserData(f.From, text, m.Client.Install); err != nil {
		return nil, err
	}
	return Secret(m, f)
}

// mustRenderSecret renders a Secret, and has cloud-init judge its user data with the others of the package.
func mustRenderSecret(t *testing.T, m blueprint.Member, f blueprint.Facts) *corev1.Secret {
	t.Helper()
	s, err := renderSecret(m, f)
	if err != nil {
		t.Fatal(err)
	}
	cloudinittest.Remember(t.Name(), s.Data)
	return s
}
