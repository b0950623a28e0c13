package machine

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
)

// renderSecret is a member's Secret, unless its user data is refused.
func renderSecret(m Member, f Facts) (*corev1.Secret, error) {
	text, _ := f.Text(m.Template.CloudInit.UserData, m.Template.CloudInit.UserDataSecretRef)
	if err := checkUserData(f.From, text, m.Client.Install); err != nil {
		return nil, err
	}
	return secret(m, f)
}

// mustRenderSecret renders a Secret, and has cloud-init judge its user data with the others of the package.
func mustRenderSecret(t *testing.T, m Member, f Facts) *corev1.Secret {
	t.Helper()
	s, err := renderSecret(m, f)
	if err != nil {
		t.Fatal(err)
	}
	remember(t.Name(), s.Data)
	return s
}
