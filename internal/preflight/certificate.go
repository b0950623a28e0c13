package preflight

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"regexp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// roleName matches the names by which Nomad's servers know each other and their clients.
var roleName = regexp.MustCompile(`^(client|server)\.[^.]+\.nomad$`)

// certificate reports a client's certificate with which a guest can't join. Nomad says so in the guest's log alone.
// Servers that verify names (tls.verify_server_hostname) take client.REGION.nomad and server.REGION.nomad, as they are
// written, as the common name too (Nomad: nomad/auth/auth.go, validateCertificateForNames). Others take any name, and
// which servers these are isn't known here. So only a certificate for another region is reported.
func (c *checker) certificate(field, secret string, leaf *x509.Certificate) {
	now := c.facts.Now
	switch {
	case now.IsZero():
	case now.After(leaf.NotAfter):
		c.report(v1alpha1.ReasonTemplateInvalid,
			"%s: the certificate %q of Secret %q ended at %s; put a new one there", field, corev1.TLSCertKey, secret,
			leaf.NotAfter.UTC().Format(time.RFC3339))
	case now.Before(leaf.NotBefore):
		c.report(v1alpha1.ReasonCertificateNotYetValid,
			"%s: the certificate %q of Secret %q begins only at %s; wait, or put another one there", field,
			corev1.TLSCertKey, secret, leaf.NotBefore.UTC().Format(time.RFC3339))
	}
	region := cmp.Or(c.facts.Region, blueprint.DefaultRegion)
	names := append([]string{leaf.Subject.CommonName}, leaf.DNSNames...)
	wanted := "client." + region + ".nomad"
	if slices.Contains(names, wanted) || slices.Contains(names, "server."+region+".nomad") {
		return
	}
	if roles := slices.DeleteFunc(names, func(n string) bool { return !roleName.MatchString(n) }); len(roles) > 0 {
		c.report(v1alpha1.ReasonTemplateInvalid,
			"%s: the certificate %q of Secret %q is for %s; Nomad's servers want %s, so make it anew with that name", field,
			corev1.TLSCertKey, secret, strings.Join(slices.Compact(roles), ", "), wanted)
	}
}

// CertificateEnd is when the certificate ends that a guest is given to join Nomad with; zero: it is given none.
func CertificateEnd(n *v1alpha1.NomadClient, f blueprint.Facts) time.Time {
	if n.ClientTLSSecretRef == nil {
		return time.Time{}
	}
	values := f.Secrets[n.ClientTLSSecretRef.Name]
	pair, err := tls.X509KeyPair([]byte(values[corev1.TLSCertKey]), []byte(values[corev1.TLSPrivateKeyKey]))
	if err != nil {
		return time.Time{} // the pre-flight says so
	}
	return pair.Leaf.NotAfter
}
