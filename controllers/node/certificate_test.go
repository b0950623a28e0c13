package node

import (
	"context"
	"crypto/x509"
	"errors"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
)

// certified48h is a member that is to be made, with a certificate that ends in two days.
func certified48h(t *testing.T) (s *fixture, end time.Time) {
	t.Helper()
	end = now.Add(48 * time.Hour)
	cert, key := blueprinttest.Certificate(t, func(c *x509.Certificate) { c.NotBefore, c.NotAfter = now.Add(-time.Hour), end })
	return newFixture(func(n *v1alpha1.NomadNode, _ *fixture) []client.Object {
		n.Spec.Nomad.IntroductionToken = v1alpha1.IntroductionNever
		n.Spec.Nomad.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "tls"}
		return []client.Object{tlsSecret(cert, key)}
	}), end
}

func tlsSecret(cert, key string) *corev1.Secret {
	return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "tls"},
		Data: map[string][]byte{"ca.crt": []byte(cert), "tls.crt": []byte(cert), "tls.key": []byte(key)}}
}

// The Secret may hold another certificate later. The guest keeps the one that it was made with.
func TestMemberRemembersTheEndOfItsCertificate(t *testing.T) {
	s, end := certified48h(t)
	s.reconcile(t)
	if got := s.node(t).Status.Nomad.CertificateExpirationTime; got == nil || !got.Time.Equal(end) {
		t.Fatalf("its certificate ends at %v, want %s", got, end)
	}
	if err := s.Client.Delete(t.Context(), tlsSecret("", "")); err != nil {
		t.Fatal(err)
	}
	s.reconcile(t)
	if got := s.node(t).Status.Nomad.CertificateExpirationTime; got == nil || !got.Time.Equal(end) {
		t.Errorf("later it is said to end at %v", got)
	}
}

// A process that dies before the status is written leaves the Secret, which tells the next one when its certificate
// ends, whatever has become of the pool's by then.
func TestEndOfACertificateOutlivesTheProcess(t *testing.T) {
	for name, withVM := range map[string]bool{"it dies before the VM is made": false, "and after that": true} {
		t.Run(name, func(t *testing.T) {
			s, end := certified48h(t)
			alive, died := s.Client, errors.New("the process has died")
			s.Client = interceptor.NewClient(alive.(client.WithWatch), interceptor.Funcs{
				Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
					if _, vm := o.(*kubevirtv1.VirtualMachine); vm && !withVM {
						return died
					}
					return c.Create(ctx, o, opts...)
				},
				SubResourcePatch: func(context.Context, client.Client, string, client.Object, client.Patch,
					...client.SubResourcePatchOption) error {
					return died
				},
			})
			if _, err := s.Reconcile(t.Context(), request); !errors.Is(err, died) {
				t.Fatalf("it goes on: %v", err)
			}
			s.Client = alive
			later, key := blueprinttest.Certificate(t, func(c *x509.Certificate) {
				c.NotBefore, c.NotAfter = now.Add(-time.Hour), end.Add(time.Hour)
			})
			if err := s.Client.Update(t.Context(), tlsSecret(later, key)); err != nil {
				t.Fatal(err)
			}
			s.facts = factsCache{}
			if withVM { // which Harvester has halted meanwhile, so that it waits to boot
				haltForQuota(t, s)
			}
			s.reconcile(t)
			if got := s.node(t).Status.Nomad.CertificateExpirationTime; got == nil || !got.Time.Equal(end) {
				t.Errorf("its certificate ends at %v, want %s", got, end)
			}
		})
	}
}

// haltForQuota does to the member's VM what Harvester does.
func haltForQuota(t *testing.T, s *fixture) {
	t.Helper()
	vm := &kubevirtv1.VirtualMachine{}
	if err := s.Client.Get(t.Context(), client.ObjectKey{Namespace: "ns", Name: "p-1"}, vm); err != nil {
		t.Fatal(err)
	}
	halted := kubevirtv1.RunStrategyHalted
	vm.Spec.RunStrategy = &halted
	metav1.SetMetaDataAnnotation(&vm.ObjectMeta, nodestate.AboveQuotaAnnotation, "cpu")
	if err := s.Client.Update(t.Context(), vm); err != nil {
		t.Fatal(err)
	}
}
