package nomadlink

import (
	"cmp"
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// tlsPlaces are where what TLS needs has to be put; each follows "into" in a message.
type tlsPlaces struct{ caCert, serverName, clientCert string }

// What is in the Secret counts before the environment, so that this is the place wherever there is a directory.
var (
	tlsInSpecSecret     = inKeysOf("the Secret that spec.nomad.credentialsSecretRef names", secretServerName, "")
	tlsInDefaultsSecret = inKeysOf("the Secret "+DefaultsSecret+" in the controller's namespace",
		"NOMAD_TLS_SERVER_NAME", "")
	tlsInNoSecret = inKeysOf("a Secret in the pool's namespace", secretServerName,
		", and name that in spec.nomad.credentialsSecretRef")
	tlsInEnvironment = tlsPlaces{
		caCert:     "the file that the controller's NOMAD_CACERT names",
		serverName: "the environment of the controller as NOMAD_TLS_SERVER_NAME",
		clientCert: "the files that the controller's NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY name",
	}
)

func inKeysOf(secret, serverName, then string) tlsPlaces {
	return tlsPlaces{
		caCert:     fmt.Sprintf("%s as the key %s%s", secret, secretCACert, then),
		serverName: fmt.Sprintf("%s as the key %s%s", secret, serverName, then),
		clientCert: fmt.Sprintf("%s as the keys %s and %s%s", secret, secretClientCert, secretClientKey, then),
	}
}

// explainTLS is the message for a Nomad with which there is no connection by TLS. It names what can be mended and
// where, and whose it is if it isn't the connection's.
func explainTLS(c Config, h nomad.Health) string {
	in := c.TLSIn
	if in == (tlsPlaces{}) {
		in = tlsInSpecSecret
	}
	addressIn, remedy := cmp.Or(c.AddressIn, inSpecAddress), "whoever runs that Nomad has to mend it"
	switch h.State {
	case nomad.HealthWrongScheme:
		remedy = "use https:// in " + addressIn
		if strings.HasPrefix(c.Address, "https://") {
			remedy = "have it serve TLS, or use http:// in " + addressIn
		}
	case nomad.HealthUntrusted:
		remedy = "put the CA certificate that signs the certificates of Nomad's agents into " + in.caCert
	case nomad.HealthNameMismatch:
		remedy = fmt.Sprintf("check that %s leads to Nomad, and put the name that Nomad's certificate is for, usually "+
			"server.%s.nomad, into %s", addressIn, cmp.Or(c.Region, defaultRegion), in.serverName)
	case nomad.HealthClientCertificate:
		remedy = "put a valid client certificate, signed by the CA of Nomad's agents, and its private key into " +
			in.clientCert
	default:
	}
	return fmt.Sprintf("Nomad at %s can't be asked: %s; %s. Meanwhile nothing is drained or deleted, unless its deletion "+
		"was asked for", c.Address, h.Cause, remedy)
}

// serverName is what a certificate may be for. Nomad's region is in it, which may have a _.
var serverName = regexp.MustCompile(`^[A-Za-z0-9._-]{1,253}$`)

// checkServerName returns the name without the white space around it that editors and `echo` leave.
func checkServerName(field, name string) (string, error) {
	name = strings.TrimSpace(name)
	if _, err := netip.ParseAddr(name); name == "" || err == nil || serverName.MatchString(name) {
		return name, nil
	}
	return "", fmt.Errorf("%s: %.80q is not a name that a certificate may be for; put the one of Nomad's certificate "+
		"there and nothing else, usually server.REGION.nomad", field, name)
}
