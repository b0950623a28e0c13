package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
)

func TestCheckOfTheClient(t *testing.T) {
	cert, key := blueprinttest.Certificate(t)
	_, otherKey := blueprinttest.Certificate(t)
	secret := func(ca, cert, key string) map[string]string {
		return map[string]string{"ca.crt": ca, "tls.crt": cert, "tls.key": key}
	}
	tests := map[string]struct {
		memory string
		secret map[string]string
		want   []condition.Problem
	}{
		"all is well": {"31Gi", secret(cert, cert, key), nil},
		"too much memory": {
			"32Gi",
			secret(cert, cert, key),
			[]condition.Problem{
				{
					Reason:  v1alpha1.ReasonTemplateInvalid,
					Message: `spec.nomad.reserved.memory: 32Gi leaves nothing of the VM's 32Gi for jobs; use less`,
				},
			},
		},
		"no Secret": {
			"1Gi",
			nil,
			[]condition.Problem{
				{
					Reason:  v1alpha1.ReasonSecretNotFound,
					Message: `spec.nomad.clientTLSSecretRef.name: Secret "nomad-tls" doesn't exist in the pool's namespace; create it or name another`,
				},
			},
		},
		"no CA": {
			"1Gi",
			secret("", cert, key),
			[]condition.Problem{
				{
					Reason:  v1alpha1.ReasonSecretNotFound,
					Message: `spec.nomad.clientTLSSecretRef: Secret "nomad-tls" has no key "ca.crt"; add it, in PEM, or name another`,
				},
			},
		},
		"a CA that isn't": {
			"1Gi",
			secret("x", cert, key),
			[]condition.Problem{
				{
					Reason:  v1alpha1.ReasonTemplateInvalid,
					Message: `spec.nomad.clientTLSSecretRef: "ca.crt" of Secret "nomad-tls" holds no certificate in PEM; put the CA certificate of Nomad's agents there`,
				},
			},
		},
		"another's key": {
			"1Gi",
			secret(cert, cert, otherKey),
			[]condition.Problem{
				{
					Reason:  v1alpha1.ReasonTemplateInvalid,
					Message: `spec.nomad.clientTLSSecretRef: "tls.crt" and "tls.key" of Secret "nomad-tls" are no usable pair: tls: private key does not match public key; put a PEM certificate and its own private key there`,
				},
			},
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tmpl, c, f := blueprinttest.Template(), blueprinttest.Client(), blueprinttest.Facts()
			c.Reserved = &v1alpha1.NomadReserved{Memory: resource.MustParse(tt.memory)}
			c.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
			if tt.secret != nil {
				f.Secrets["nomad-tls"] = tt.secret
			}
			if diff := cmp.Diff(tt.want, Check(&tmpl, &c, f)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
