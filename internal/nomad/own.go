package nomad

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// OwnSecret is the Secret in the controller's namespace that config/manager mounts into the directory which OwnConnection reads.
const OwnSecret = "nomad-harvester-nomad"

// Where a token is to be put, in words that follow "into".
const (
	inSpec        = "the Secret that spec.nomad.credentialsSecretRef names"
	inNoSecret    = "a Secret in the pool's namespace as the key token, and name that in spec.nomad.credentialsSecretRef"
	inOwnSecret   = "the Secret " + OwnSecret + " in the controller's namespace as the key NOMAD_TOKEN"
	inEnvironment = "the environment of the controller as NOMAD_TOKEN"
)

// OwnConnection reads the controller's own connection from the files of a directory, and what has no file there from the
// environment. Variables and files have the names of the variables that Nomad's own programs read: NOMAD_ADDR, NOMAD_REGION,
// NOMAD_TOKEN, NOMAD_TLS_SERVER_NAME, and NOMAD_CACERT, NOMAD_CLIENT_CERT and NOMAD_CLIENT_KEY, which hold the paths of other
// files. Instead of these three the directory may have the files ca.crt, tls.crt and tls.key, in PEM. A file that is there counts
// even if it is empty. Other files are left alone.
//
// A directory that isn't there has no files: the Secret that is mounted there may come later. Empty: there is none. Without
// NOMAD_ADDR the address stays empty, and each pool has to give its own. The errors name the file or variable, and the remedy.
func OwnConnection(dir string, getenv func(string) string) (Connection, error) {
	o := own{dir, getenv}
	for range 3 {
		before := o.version()
		conn, err := o.read()
		if o.version() == before {
			return conn, err
		}
	}
	return Connection{}, fmt.Errorf("the files in %s change all the time; see who writes the Secret %s", dir, OwnSecret)
}

type own struct {
	dir    string
	getenv func(string) string
}

// version tells one content of a mounted Secret from the next, so that no mixture of two is used: kubelet puts all files of one
// into a directory, and lets the link ..data point there (Kubernetes: pkg/volume/util/atomic_writer.go).
func (o own) version() string {
	if o.dir == "" {
		return ""
	}
	target, err := os.Readlink(filepath.Join(o.dir, "..data"))
	if err != nil {
		return ""
	}
	return target
}

func (o own) read() (Connection, error) {
	var (
		conn Connection
		errs []error
	)
	value := func(name string) (string, string) {
		v, field, err := o.value(name)
		errs = append(errs, err)
		return v, field
	}
	address, field := value("NOMAD_ADDR")
	if conn.AddressIn = field; field == "NOMAD_ADDR" {
		conn.AddressIn = "the controller's NOMAD_ADDR"
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
	if conn.TokenIn = inOwnSecret; o.dir == "" || token != "" && field == "NOMAD_TOKEN" {
		conn.TokenIn = inEnvironment
	}
	conn.Region, _ = value("NOMAD_REGION")
	conn.TLSServerName, _ = value("NOMAD_TLS_SERVER_NAME")
	errs = append(errs, o.readTLS(&conn))
	if err := errors.Join(errs...); err != nil {
		return Connection{}, err
	}
	return conn, nil
}

// readTLS reads certificates and key. Those of the client go together: both are of the directory, or none.
func (o own) readTLS(conn *Connection) error {
	ca, caField, err := o.pem("ca.crt", "NOMAD_CACERT")
	if err != nil {
		return err
	}
	cert, certField, found, err := o.file("tls.crt")
	if err != nil {
		return err
	}
	key, keyField, alsoFound, err := o.file("tls.key")
	if err != nil {
		return err
	}
	if !found && !alsoFound {
		if cert, certField, err = o.pem("", "NOMAD_CLIENT_CERT"); err != nil {
			return err
		}
		if key, keyField, err = o.pem("", "NOMAD_CLIENT_KEY"); err != nil {
			return err
		}
	}
	conn.CACert, conn.ClientCert, conn.ClientKey = ca, cert, key
	return checkPEM(caField, ca, certField, cert, keyField, key)
}

// pem is the content of a file of the directory, or else of the file that the variable names.
func (o own) pem(name, variable string) (content []byte, field string, err error) {
	if name != "" {
		content, field, found, err := o.file(name)
		if found || err != nil {
			return content, field, err
		}
	}
	path, field, err := o.value(variable)
	if path == "" || err != nil {
		return nil, field, err
	}
	content, err = os.ReadFile(path)
	if err != nil {
		return nil, field, fmt.Errorf("%s: %w; mount the file into the controller's Pod or unset the variable", field, err)
	}
	return content, field, nil
}

// value is that of a file or variable, without the white space around it that editors and `echo` leave.
func (o own) value(name string) (value, field string, err error) {
	content, field, found, err := o.file(name)
	if found || err != nil {
		return strings.TrimSpace(string(content)), field, err
	}
	return o.getenv(name), name, nil
}

// file reads a file of the directory; field is what to call it.
func (o own) file(name string) (content []byte, field string, found bool, err error) {
	if o.dir == "" {
		return nil, name, false, nil
	}
	path := filepath.Join(o.dir, name)
	field = fmt.Sprintf("key %s of the controller's own Secret %s (file %s)", name, OwnSecret, path)
	content, err = os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, field, false, nil
	}
	if err != nil {
		return nil, field, false, fmt.Errorf("%s: %w; make it a file that the controller may read", field, err)
	}
	return content, field, true, nil
}
