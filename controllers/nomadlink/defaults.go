package nomadlink

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

// DefaultsSecret is the Secret in the controller's namespace that config/manager mounts into the directory which
// DefaultConfig reads.
const DefaultsSecret = "nomad-harvester-nomad"

// DefaultConfig reads the default connection of all pools from the files of a directory, and what has no file there
// from the environment. Variables and files have the names of the variables that Nomad's own programs read: NOMAD_ADDR,
// NOMAD_REGION, NOMAD_TOKEN, NOMAD_TLS_SERVER_NAME, and NOMAD_CACERT, NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY, which
// hold the paths of other files. AUTH_METHOD, instead of NOMAD_TOKEN, is an auth method to log in to with the JWT in
// jwtFile. Instead of these three the directory may have the files ca.crt, tls.crt and tls.key,
// in PEM. An empty file counts, too. Other files are ignored. ALLOWED_NAMESPACES says whose pools may use token
// and client certificate: namespaces, each with or without a node pool and a region of Nomad's.
// ALLOWED_ADDRESSES says which other
// Nomads pools may name: hosts with ports. Nothing is allowed by what is missing.
//
// A directory that doesn't exist counts as empty, because the Secret that is mounted there may be made later. If dir is
// empty only the environment is read. Without NOMAD_ADDR the address stays empty, and each pool has to set one. The
// errors name the file or variable, and the remedy; with an error there is nothing but the addresses that pools may
// name, and they are nil only if these can't be read.
func DefaultConfig(dir, jwtFile string, getenv func(string) string) (Config, error) {
	d := defaults{dir, jwtFile, getenv}
	for range 3 {
		before := d.version()
		conn, err := d.read()
		if d.version() == before {
			return conn, err
		}
	}
	return Config{}, fmt.Errorf("the files in %s change all the time; see who writes the Secret %s", dir, DefaultsSecret)
}

type defaults struct {
	dir, jwtFile string
	getenv       func(string) string
}

// version identifies the content of a mounted Secret, so that no mixture of two versions is used: kubelet puts all
// files of a version into a directory, to which it points the link ..data (Kubernetes:
// pkg/volume/util/atomic_writer.go).
func (d defaults) version() string {
	if d.dir == "" {
		return ""
	}
	target, err := os.Readlink(filepath.Join(d.dir, "..data"))
	if err != nil {
		return ""
	}
	return target
}

func (d defaults) read() (Config, error) {
	var (
		conn Config
		errs []error
	)
	value := func(name string) (string, string) {
		v, field, err := d.value(name)
		errs = append(errs, err)
		return v, field
	}
	address, field := value("NOMAD_ADDR")
	if conn.AddressIn = field; field == "NOMAD_ADDR" {
		conn.AddressIn = inDefaultAddress
	}
	if address != "" {
		var err error
		conn.Address, err = checkAddress(field, address)
		errs = append(errs, err)
	}
	token, field := value("NOMAD_TOKEN")
	var err error
	conn.Token, err = checkToken(field, token)
	errs = append(errs, err)
	if conn.TokenIn = inDefaultsSecret; d.dir == "" || token != "" && field == "NOMAD_TOKEN" {
		conn.TokenIn = inEnvironment
	}
	method, field := value(authMethodKey)
	errs = append(errs, d.logIn(&conn, method, field))
	if plain(conn.Address) && (conn.Token != "" || conn.AuthMethod != "") {
		errs = append(errs, fmt.Errorf("%s: %s isn't https, and the token would be sent for everybody on the way to read; "+
			"use https://, or an address of this machine", conn.AddressIn, conn.Address))
	}
	names, field := value(allowedNamespacesKey)
	conn.Namespaces, err = parseAllowed(field, names, "a namespace, NAMESPACE/NODE-POOL or NAMESPACE/NODE-POOL/REGION", 2)
	errs = append(errs, err)
	conn.Addresses, err = d.allowedAddresses()
	errs = append(errs, err)
	conn.Region, field = value("NOMAD_REGION")
	errs = append(errs, checkRegion(field, conn.Region))
	name, field := value("NOMAD_TLS_SERVER_NAME")
	conn.TLSServerName, err = checkServerName(field, name)
	errs = append(errs, err, d.readTLS(&conn.Connection))
	if conn.TLSIn = tlsInDefaultsSecret; d.dir == "" {
		conn.TLSIn = tlsInEnvironment
	}
	if err := errors.Join(errs...); err != nil {
		return Config{Addresses: conn.Addresses}, err
	}
	return conn, nil
}

// allowedAddresses are those that pools may name; nil: they can't be read.
func (d defaults) allowedAddresses() (allowed, error) {
	names, field, err := d.value(allowedAddressesKey)
	if err != nil {
		return nil, err
	}
	addresses, err := parseAllowed(field, names, "a host and port such as nomad.example.com:4646", 0)
	if err != nil {
		return nil, err
	}
	return append(allowed{}, addresses...), nil
}

// checkRegion refuses what no region can be called, as the API does of a pool's.
func checkRegion(field, region string) error {
	if strings.ContainsFunc(region, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fmt.Errorf("%s: %.80q has white space in it; use the name of a region alone, such as global", field, region)
	}
	return nil
}

// authMethodKey names the auth method of Nomad's to log in to.
const authMethodKey = "AUTH_METHOD"

// logIn has the connection log in to an auth method, if one is named.
func (d defaults) logIn(conn *Config, method, field string) error {
	switch {
	case method == "":
		return nil
	case strings.ContainsFunc(method, func(r rune) bool { return r <= ' ' || r >= 0x7f }) || len(method) > 128:
		return fmt.Errorf("%s: %q is not the name of an auth method of Nomad's", field, method)
	case conn.Token != "":
		return fmt.Errorf("%s: there is a NOMAD_TOKEN as well; take one of them away", field)
	case d.jwtFile == "":
		return fmt.Errorf("%s: the controller has no ServiceAccount token to log in with; start it with "+
			"--nomad-auth-token-file, and mount a projected token there", field)
	}
	conn.AuthMethod, conn.JWTFile = method, d.jwtFile
	return nil
}

// plain is true for an address at which what is sent can be read on the way.
func plain(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() != "localhost" && (err != nil || !ip.IsLoopback())
}

// readTLS reads certificates and key. The client's certificate and key come from the same place, the directory or the
// environment.
func (d defaults) readTLS(conn *nomad.Connection) error {
	ca, caField, err := d.pem("ca.crt", "NOMAD_CACERT")
	if err != nil {
		return err
	}
	cert, certField, found, err := d.file("tls.crt")
	if err != nil {
		return err
	}
	key, keyField, alsoFound, err := d.file("tls.key")
	if err != nil {
		return err
	}
	if !found && !alsoFound {
		if cert, certField, err = d.pem("", "NOMAD_CLIENT_CERT"); err != nil {
			return err
		}
		if key, keyField, err = d.pem("", "NOMAD_CLIENT_KEY"); err != nil {
			return err
		}
	}
	conn.CACert, conn.ClientCert, conn.ClientKey = ca, cert, key
	return checkPEM(caField, ca, certField, cert, keyField, key)
}

// pem is the content of a file of the directory, or else of the file that the variable names.
func (d defaults) pem(name, variable string) (content []byte, field string, err error) {
	if name != "" {
		content, field, found, err := d.file(name)
		if found || err != nil {
			return content, field, err
		}
	}
	path, field, err := d.value(variable)
	if path == "" || err != nil {
		return nil, field, err
	}
	content, err = os.ReadFile(path)
	if err != nil {
		return nil, field, fmt.Errorf("%s: %w; mount the file into the controller's Pod or unset the variable", field, err)
	}
	return content, field, nil
}

// value reads a file or variable, without the white space around it that editors and `echo` leave.
func (d defaults) value(name string) (value, field string, err error) {
	content, field, found, err := d.file(name)
	if found || err != nil {
		return strings.TrimSpace(string(content)), field, err
	}
	return d.getenv(name), name, nil
}

// file reads a file of the directory; field is its name for messages.
func (d defaults) file(name string) (content []byte, field string, found bool, err error) {
	if d.dir == "" {
		return nil, name, false, nil
	}
	path := filepath.Join(d.dir, name)
	field = fmt.Sprintf("key %s of the controller's own Secret %s (file %s)", name, DefaultsSecret, path)
	content, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, field, false, nil
	}
	if err != nil {
		return nil, field, false, fmt.Errorf("%s: %w; make it a file that the controller may read", field, err)
	}
	return content, field, true, nil
}
