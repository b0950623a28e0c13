package preflight

import (
	"crypto/tls"
	"crypto/x509"

	corev1 "k8s.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// client checks of a client's configuration what the API server can't check.
func (c *checker) client(t *v1alpha1.NodeTemplate, n *v1alpha1.NomadClient) {
	if r := n.Reserved; r != nil && !t.Memory.IsZero() && r.Memory.Cmp(t.Memory) >= 0 {
		c.report(v1alpha1.ReasonTemplateInvalid,
			"spec.nomad.reserved.memory: %s leaves nothing of the VM's %s for jobs; use less", r.Memory.String(),
			t.Memory.String())
	}
	if n.ClientTLSSecretRef != nil {
		c.clientTLS(n.ClientTLSSecretRef.Name)
	}
}

func (c *checker) clientTLS(name string) {
	const field = "spec.nomad.clientTLSSecretRef"
	if c.token(field, name) {
		return
	}
	values, ok := c.facts.Secrets[name]
	if !ok {
		c.report(v1alpha1.ReasonSecretNotFound,
			"%s.name: Secret %q doesn't exist in the pool's namespace; create it or name another", field, name)
		return
	}
	for _, key := range []string{blueprint.CAKey, corev1.TLSCertKey, corev1.TLSPrivateKeyKey} {
		if values[key] == "" {
			c.report(v1alpha1.ReasonSecretNotFound, "%s: Secret %q has no key %q; add it, in PEM, or name another", field, name,
				key)
			return
		}
	}
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(values[blueprint.CAKey])) {
		c.report(v1alpha1.ReasonTemplateInvalid,
			"%s: %q of Secret %q holds no certificate in PEM; put the CA certificate of Nomad's agents there", field,
			blueprint.CAKey, name)
	}
	pair, err := tls.X509KeyPair([]byte(values[corev1.TLSCertKey]), []byte(values[corev1.TLSPrivateKeyKey]))
	if err != nil {
		c.report(v1alpha1.ReasonTemplateInvalid,
			"%s: %q and %q of Secret %q are no usable pair: %v; put a PEM certificate and its own private key there", field,
			corev1.TLSCertKey, corev1.TLSPrivateKeyKey, name, err)
		return
	}
	c.certificate(field, name, pair.Leaf)
}
