package nomadlink

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// The keys of a Secret with credentials. Other keys are ignored.
const (
	secretToken      = "token"
	secretCACert     = "ca.crt"
	secretClientCert = corev1.TLSCertKey
	secretClientKey  = corev1.TLSPrivateKeyKey
	secretServerName = "tls-server-name"
)

// defaultRegion is what Nomad takes an unset region for.
const defaultRegion = "global"

// asker is who asks for a connection.
type asker struct {
	namespace string
	nodePool  string // of Nomad's
	// leaves is true for a member that is to be drained: what pools may no longer use doesn't end that. joined is where
	// it has joined Nomad.
	leaves bool
	joined string
}

// askerOf is who asks for the connection of a pool or a member.
func askerOf(of client.Object, nodePool string) asker {
	u := asker{namespace: of.GetNamespace(), nodePool: cmp.Or(nodePool, "default")}
	if n, ok := of.(*v1alpha1.NomadNode); ok {
		u.leaves, u.joined = n.DeletionTimestamp != nil || n.Spec.Drain != nil, n.Status.Nomad.Cluster
	}
	return u
}

// poolConnection is how to reach the Nomad cluster of a pool: by its spec and Secret, and for what they leave unset by
// the controller's default connection. The secret is the one that spec.credentialsSecretRef names; nil: there is none.
//
// Token and client certificate are all of one source. The controller's own are only used with its own address, because
// a pool may name others, and its author must not be able to have the controller's token sent there. And they are only
// used for those whom the controller's operator names: through them a pool does more in Nomad than its author may.
func poolConnection(defaults Config, of asker, spec v1alpha1.NomadConnection, secret *corev1.Secret) (Config, error) {
	if spec.CredentialsSecretRef != nil && secret == nil {
		return Config{}, fmt.Errorf(
			"spec.nomad.credentialsSecretRef: Secret %q does not exist; create it in the pool's namespace with the key %q",
			spec.CredentialsSecretRef.Name, secretToken)
	}
	conn, err := inherit(defaults, of, spec)
	if err != nil {
		return Config{}, err
	}
	if secret != nil {
		return withSecret(conn, secret)
	}
	secrets := conn.Token != "" || conn.AuthMethod != "" || len(conn.ClientCert) > 0
	region := cmp.Or(conn.Region, defaultRegion)
	home := region == cmp.Or(defaults.Region, defaultRegion)
	if !secrets || of.leaves || defaults.Namespaces.credentials(of.namespace, of.nodePool, region, home) {
		return conn, nil
	}
	where, add := "node pool "+of.nodePool, fmt.Sprintf("%[1]s or %[1]s/%[2]s", of.namespace, of.nodePool)
	if !home {
		where, add = where+", region "+region, fmt.Sprintf("%s/%s/%s", of.namespace, of.nodePool, region)
	}
	return Config{}, fmt.Errorf(
		"namespace %s may not use the controller's own credentials for Nomad (%s); have the controller's operator add %s to "+
			"the key %s of the Secret %s in the controller's namespace, or name credentials of your own in "+
			"spec.nomad.credentialsSecretRef", of.namespace, where, add, allowedNamespacesKey, DefaultsSecret)
}

// inherit takes from the default connection what the spec leaves unset.
func inherit(defaults Config, of asker, spec v1alpha1.NomadConnection) (Config, error) {
	if spec.Address == "" && defaults.Address == "" {
		return Config{}, fmt.Errorf(
			"spec.nomad.address is not set, and the controller has no NOMAD_ADDR; set one of them, as in https://nomad.example.com:4646, the controller's in the Secret %s of its namespace",
			DefaultsSecret,
		)
	}
	address := defaults.Address
	if spec.Address != "" {
		var err error
		if address, err = checkAddress("spec.nomad.address", spec.Address); err != nil {
			return Config{}, err
		}
	}
	if address != defaults.Address {
		if err := mayName(defaults.Addresses, of, nomad.Connection{Address: address, Region: spec.Region}); err != nil {
			return Config{}, err
		}
		return Config{Connection: nomad.Connection{Address: address, OfPool: true, Region: spec.Region,
			CACert: defaults.CACert}, TokenIn: inNoSecret, TLSIn: tlsInNoSecret}, nil
	}
	conn := defaults
	conn.Region = cmp.Or(spec.Region, defaults.Region)
	return conn, nil
}

// mayName is nil if pools may name an address. A member that leaves may be drained where it has joined.
func mayName(addresses allowed, of asker, there nomad.Connection) error {
	_, host, _ := strings.Cut(there.Address, "://")
	if addresses.address(host) || of.leaves && of.joined == where(there) {
		return nil
	}
	return fmt.Errorf("spec.nomad.address: pools may not name %q; have the controller's operator add %q to the key %s of "+
		"the Secret %s in the controller's namespace", there.Address, host, allowedAddressesKey, DefaultsSecret)
}

// withSecret has the credentials of the Secret in the place of the controller's own. Of these only the CA stays, if the
// Secret has none: it proves who Nomad is, and gives nobody a right.
func withSecret(defaults Config, secret *corev1.Secret) (Config, error) {
	key := func(name string) string {
		return fmt.Sprintf("Secret %q, key %q", secret.Namespace+"/"+secret.Name, name)
	}
	if secret.Type == corev1.SecretTypeServiceAccountToken {
		return Config{}, fmt.Errorf("credentials Secret %q is the token of a Kubernetes service account, "+
			"which isn't sent to Nomad; make one of type Opaque with the key %q", secret.Namespace+"/"+secret.Name, secretToken)
	}
	conn := defaults
	conn.Token, conn.TokenIn, conn.ClientCert, conn.ClientKey = "", "", nil, nil
	conn.AuthMethod, conn.JWTFile, conn.TLSIn = "", "", tlsPlaces{}
	found := false
	if raw, ok := secret.Data[secretToken]; ok {
		token, err := checkToken(key(secretToken), string(raw))
		if err != nil {
			return Config{}, err
		}
		conn.Token, found = token, true
	}
	if raw, ok := secret.Data[secretCACert]; ok {
		conn.CACert, found = raw, true
	}
	if raw, ok := secret.Data[secretServerName]; ok {
		name, err := checkServerName(key(secretServerName), string(raw))
		if err != nil {
			return Config{}, err
		}
		conn.TLSServerName, found = name, true
	}
	cert, hasCert := secret.Data[secretClientCert]
	private, hasKey := secret.Data[secretClientKey]
	if hasCert || hasKey {
		conn.ClientCert, conn.ClientKey, found = cert, private, true
	}
	if !found {
		return Config{}, fmt.Errorf(
			"credentials Secret %q has none of the keys %q, %q, %q, %q and %q; add the one with the token at least",
			secret.Namespace+"/"+secret.Name, secretToken, secretCACert, secretClientCert, secretClientKey, secretServerName)
	}
	err := checkPEM(key(secretCACert), conn.CACert, key(secretClientCert), conn.ClientCert, key(secretClientKey),
		conn.ClientKey)
	if err != nil {
		return Config{}, err
	}
	return conn, nil
}

// checkAddress returns the address without a trailing slash, so that two spellings of one address are one cluster.
func checkAddress(field, address string) (string, error) {
	u, err := url.Parse(address)
	// The address itself stays out of the text where it may hold a password.
	switch {
	case err != nil:
		return "", fmt.Errorf("%s is not a URL; use http://host:port or https://host:port, usually with port 4646", field)
	case u.User != nil:
		return "", fmt.Errorf("%s: %q holds a user name or password; use an ACL token instead", field, u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https",
		u.Hostname() == "",
		strings.Trim(u.Path, "/") != "",
		u.RawQuery != "",
		u.Fragment != "":
		return "", fmt.Errorf(
			"%s: %q is not the URL of a Nomad API; use http://host:port or https://host:port, usually with port 4646",
			field,
			address,
		)
	}
	return u.Scheme + "://" + u.Host, nil
}

// checkToken returns the token without the white space around it that editors and `echo` leave.
func checkToken(field, token string) (string, error) {
	token = strings.TrimSpace(token)
	if strings.ContainsFunc(token, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return "", fmt.Errorf(
			"%s holds more than a token: there is white space or a control character in it; put the token's secret ID there and nothing else",
			field)
	}
	return token, nil
}

// checkPEM reads the certificates once, so that an error names the field at fault.
func checkPEM(caField string, ca []byte, certField string, cert []byte, keyField string, key []byte) error {
	if len(ca) > 0 && !x509.NewCertPool().AppendCertsFromPEM(ca) {
		return fmt.Errorf("%s holds no certificate in PEM; put the CA certificate of Nomad's agents there", caField)
	}
	switch {
	case len(cert) == 0 && len(key) == 0:
		return nil
	case len(cert) == 0:
		return fmt.Errorf("%s is missing while %s is given; give both or neither", certField, keyField)
	case len(key) == 0:
		return fmt.Errorf("%s is missing while %s is given; give both or neither", keyField, certField)
	}
	if _, err := tls.X509KeyPair(cert, key); err != nil {
		return fmt.Errorf("%s and %s are no usable pair: %w; put a PEM certificate and its own private key there", certField,
			keyField, err)
	}
	return nil
}
