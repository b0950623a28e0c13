package node

import (
	"crypto/x509"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// The Secret may hold another certificate later. The guest keeps the one that it was made with.
func TestMemberRemembersTheEndOfItsCertificate(t *testing.T) {
	end := now.Add(48 * time.Hour)
	cert, key := blueprinttest.Certificate(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Hour), end })
	s := newFixture(func(n *v1alpha1.NomadNode, _ *fixture) []client.Object {
		n.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionNever
		n.Spec.Nomad.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "tls"}
		return []client.Object{&corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "tls"},
			Data: map[string][]byte{"ca.crt": []byte(cert), "tls.crt": []byte(cert), "tls.key": []byte(key)}}}
	})
	s.reconcile(t)
	if got := s.node(t).Status.Nomad.CertificateExpirationTime; got == nil || !got.Time.Equal(end) {
		t.Fatalf("its certificate ends at %v, want %s", got, end)
	}
	if err := s.Client.Delete(t.Context(), &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "tls"}}); err != nil {
		t.Fatal(err)
	}
	s.reconcile(t)
	if got := s.node(t).Status.Nomad.CertificateExpirationTime; got == nil || !got.Time.Equal(end) {
		t.Errorf("later it is said to end at %v", got)
	}
}
