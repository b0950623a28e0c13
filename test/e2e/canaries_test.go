package e2e

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// What is wrong with a secret is reported without repeating it. The end of the run looks through everything; this looks at
// once, so that the one who broke it knows which.
func TestSecretsThatAreWrongAreNotRepeated(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		secret            func(string) map[string]string
		use               func(*v1alpha1.NomadNodePool)
		condition, reason string
	}{
		"no-token-of-nomad": {func(s string) map[string]string { return map[string]string{"token": s} },
			credentials("no-token-of-nomad"), v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials},
		"no-ca": {func(s string) map[string]string { return map[string]string{"token": s, "ca.crt": s} },
			credentials("no-ca"), v1alpha1.PoolNomadReachable, v1alpha1.ReasonCredentials},
		"no-yaml": {func(s string) map[string]string { return map[string]string{"x": "#cloud-config\n- " + s + ": {"} },
			userDataOf("no-yaml"), v1alpha1.PoolTemplateValid, v1alpha1.ReasonTemplateInvalid},
		"no-mapping": {func(s string) map[string]string {
			return map[string]string{"x": fmt.Sprintf("#cloud-config\nusers: %s\n%s: 1\n%s: 2\n", s, s, s)}
		}, userDataOf("no-mapping"), v1alpha1.PoolTemplateValid, v1alpha1.ReasonTemplateInvalid},
		"no-private-key": {func(s string) map[string]string {
			return map[string]string{"ca.crt": s, "tls.crt": s, "tls.key": "-----BEGIN " + s + "-----"}
		}, clientTLS("no-private-key"), v1alpha1.PoolTemplateValid, v1alpha1.ReasonTemplateInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			value := rand.Text()
			if err := w.Secrets.Add("the secret of "+name, value); err != nil {
				t.Fatal(err)
			}
			createObject(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name},
				StringData: c.secret(value)})
			create(t, newPool(name, 0, c.use)) // a member would wait for Nomad to be asked
			eventually(t, name, "the mistake to be reported", 30*time.Second, reports(c.condition, c.reason))
			noLeaks(t)
		})
	}
}

// A member gets a key, a token and user data, and nobody but its Secret knows them.
func TestSecretsOfAMemberAreInItsSecretAlone(t *testing.T) {
	t.Parallel()
	const name = "keeps-secrets"
	pair, err := w.Kube.CA.Issue(kube.Leaf{Name: name, CommonName: "client.global.nomad"})
	if err != nil {
		t.Fatal(err)
	}
	certificate, key := string(contentOf(t, pair.CertFile)), string(contentOf(t, pair.KeyFile))
	if n := w.Secrets.AddAllIn("the key of a client", key); n != 1 {
		t.Fatalf("%d keys in a file with one", n)
	}
	createObject(t, &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name},
		StringData: map[string]string{"ca.crt": string(w.Kube.CA.PEM), "tls.crt": certificate, "tls.key": key}})
	create(t, newPool(name, 1, clientTLS(name)))
	eventually(t, name, "the VM to be made", time.Minute, func(_ *v1alpha1.NomadNodePool, nodes []v1alpha1.NomadNode) error {
		if len(nodes) == 0 {
			return errNotYet
		}
		var s corev1.Secret
		if err := w.Client.Get(t.Context(), inNamespace(blueprint.SecretName(blueprint.MemberOf(&nodes[0]))), &s); err != nil {
			return err
		}
		text := string(s.Data["userdata"])
		for what, secret := range map[string]string{"password": passwordOfGuests, "key": strings.TrimSpace(key)[100:150]} {
			if !strings.Contains(text, secret) {
				return fmt.Errorf("the guest doesn't get the %s", what)
			}
		}
		return nil
	})
	noLeaks(t)
}

func userDataOf(secret string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) {
		p.Spec.Template.CloudInit.UserDataSecretRef = &v1alpha1.SecretKeyRef{Name: secret, Key: "x"}
	}
}

func clientTLS(secret string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: secret} }
}

func noLeaks(t *testing.T) {
	t.Helper()
	leaks, err := w.Leaks(t.Context())
	if err != nil || len(leaks) > 0 {
		t.Errorf("%s\n%v", strings.Join(leaks, "\n"), err)
	}
}
