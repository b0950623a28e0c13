package nomad

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"time"
)

// errSpeaksHTTPS: the address says http, and what answers there speaks HTTPS.
var errSpeaksHTTPS = errors.New("it speaks HTTPS")

// faultOf returns what is wrong between the connection and the server so that nothing can be asked, until a person
// mends it. It goes by types, and where Go has none by Go's own fixed texts: what a server has put into its certificate
// isn't believed to be a cause.
func faultOf(err error) (_ Health, is bool) {
	if refused, is := errors.AsType[addressRefused](err); is {
		return Health{State: HealthAddressRefused, Cause: refused.Error()}, true
	}
	if errors.Is(err, errSpeaksHTTPS) {
		return Health{State: HealthWrongScheme, Cause: errSpeaksHTTPS.Error()}, true
	}
	if errors.Is(err, http.ErrSchemeMismatch) {
		return Health{State: HealthWrongScheme, Cause: "it speaks HTTP, without TLS"}, true
	}
	if h, is := certificateFault(err); is {
		return h, true
	}
	return alertFault(err)
}

// certificateFault is that the controller doesn't take the server's certificate.
func certificateFault(err error) (_ Health, is bool) {
	if name, is := errors.AsType[x509.HostnameError](err); is {
		return Health{State: HealthNameMismatch, Cause: wrongName(name)}, true
	}
	if invalid, is := errors.AsType[x509.CertificateInvalidError](err); is {
		return invalidCertificate(invalid), true
	}
	if _, is := errors.AsType[x509.UnknownAuthorityError](err); is {
		return Health{State: HealthUntrusted, Cause: "its certificate is signed by an authority that isn't known here"}, true
	}
	if _, is := errors.AsType[x509.SystemRootsError](err); is {
		return Health{State: HealthUntrusted, Cause: "no authority is known here that could sign its certificate"}, true
	}
	if _, is := errors.AsType[*tls.CertificateVerificationError](err); is {
		return Health{State: HealthServerTLS, Cause: "its certificate can't be verified"}, true
	}
	return Health{}, false
}

// invalidCertificate is of one of the server's certificates, or of the authority that signed them.
func invalidCertificate(err x509.CertificateInvalidError) Health {
	switch {
	case err.Reason == x509.Expired && err.Cert == nil:
		return Health{State: HealthServerTLS, Cause: "the certificate has expired or is not yet valid"}
	case err.Reason == x509.Expired && err.Cert.IsCA:
		return Health{State: HealthUntrusted, Cause: "the certificate of the authority that signed its own " + validity(err)}
	case err.Reason == x509.Expired:
		return Health{State: HealthServerTLS, Cause: "its certificate " + validity(err)}
	case err.Reason == x509.IncompatibleUsage:
		return Health{State: HealthServerTLS, Cause: "its certificate isn't one for servers"}
	default:
		return Health{State: HealthServerTLS, Cause: "its certificate isn't valid"}
	}
}

// validity has no time of now in it, so that it stays the same.
func validity(err x509.CertificateInvalidError) string {
	return fmt.Sprintf("has expired or is not yet valid: it is valid from %s to %s",
		err.Cert.NotBefore.UTC().Format(time.RFC3339), err.Cert.NotAfter.UTC().Format(time.RFC3339))
}

// maxNames is how many names of a certificate are shown.
const maxNames = 3

// hostName is what a name in a certificate has to look like to be shown: it may be any server's.
var hostName = regexp.MustCompile(`^[A-Za-z0-9*][A-Za-z0-9.*-]{0,62}$`)

func wrongName(err x509.HostnameError) string {
	var names []string
	if err.Certificate != nil {
		names = err.Certificate.DNSNames
		for _, ip := range err.Certificate.IPAddresses {
			names = append(names, ip.String())
		}
	}
	var shown []string
	for _, name := range names[:min(len(names), maxNames)] {
		if hostName.MatchString(name) || net.ParseIP(name) != nil {
			shown = append(shown, name)
		}
	}
	if len(shown) == 0 {
		return fmt.Sprintf("its certificate isn't for %q", err.Host)
	}
	return fmt.Sprintf("its certificate is for %s, and not for %q", strings.Join(shown, ", "), err.Host)
}

// alerts are what a server says when it ends a TLS connection, and what is to be mended then (RFC 8446, section 6.2).
// With TLS 1.2 Go's servers, and so Nomad's, say handshake_failure to a client without a certificate.
var alerts = map[tls.AlertError]HealthState{
	40:  HealthClientCertificate, // handshake_failure
	42:  HealthClientCertificate, // bad_certificate
	43:  HealthClientCertificate, // unsupported_certificate
	44:  HealthClientCertificate, // certificate_revoked
	45:  HealthClientCertificate, // certificate_expired
	46:  HealthClientCertificate, // certificate_unknown
	48:  HealthClientCertificate, // unknown_ca
	49:  HealthClientCertificate, // access_denied
	70:  HealthServerTLS,         // protocol_version
	71:  HealthServerTLS,         // insufficient_security
	112: HealthNameMismatch,      // unrecognized_name
	116: HealthClientCertificate, // certificate_required
}

// alertFault goes by the text, because the type of an alert that came over TCP isn't exported; that of QUIC's has the
// same texts.
func alertFault(err error) (_ Health, is bool) {
	ended, is := errors.AsType[*net.OpError](err)
	if !is || ended.Op != "remote error" || ended.Err == nil {
		return Health{}, false
	}
	for alert, state := range alerts {
		if text := alert.Error(); ended.Err.Error() == text {
			return Health{State: state, Cause: "it ended the TLS handshake: " + strings.TrimPrefix(text, "tls: ")}, true
		}
	}
	return Health{}, false
}
