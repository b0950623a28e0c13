package preflight

import (
	"cmp"
	"crypto/x509"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// certificate reports a client's certificate with which a guest can't join. Nomad says so in the guest's log alone. It
// takes the name client.REGION.nomad, or that of a server (Nomad: nomad/rpc.go, validateCertificateForNames).
func (c *checker) certificate(field, secret string, leaf *x509.Certificate) {
	now := c.facts.Now
	switch {
	case now.IsZero():
	case now.After(leaf.NotAfter):
		c.report(v1alpha1.ReasonTemplateInvalid,
			"%s: the certificate %q of Secret %q ended at %s; put a new one there", field, corev1.TLSCertKey, secret,
			leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		c.report(v1alpha1.ReasonTemplateInvalid,
			"%s: the certificate %q of Secret %q begins only at %s; wait, or put another one there", field,
			corev1.TLSCertKey, secret, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	region := cmp.Or(c.facts.Region, blueprint.DefaultRegion)
	name := "client." + region + ".nomad"
	if leaf.VerifyHostname(name) == nil || leaf.VerifyHostname("server."+region+".nomad") == nil {
		return
	}
	has := "has no DNS name"
	if len(leaf.DNSNames) > 0 {
		has = "is for " + strings.Join(leaf.DNSNames, ", ")
	}
	c.report(v1alpha1.ReasonTemplateInvalid,
		"%s: the certificate %q of Secret %q %s; Nomad's servers want %s, so make it anew with that name", field,
		corev1.TLSCertKey, secret, has, name)
}
