package nomad

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Connection is how to reach one Nomad cluster. It holds secrets, and so prints itself without them, whatever the verb.
type Connection struct {
	// Address is the URL of Nomad's HTTP API, without a path.
	Address string
	// OfPool: it isn't the controller's operator who chose the address, but a pool's author, so that not everything that
	// it leads to may be dialled (Options.RefuseAddress).
	OfPool bool
	// Region is the Nomad region; empty: that of the agent at Address.
	Region string
	// Token is the secret ID of an ACL token; empty: anonymous.
	Token string
	// AuthMethod is the auth method of Nomad's to log in to, again and again, with the JWT in JWTFile; empty: Token is
	// used.
	AuthMethod, JWTFile string
	// CACert is PEM of the authorities to trust; empty: those of the system.
	CACert []byte
	// ClientCert and ClientKey are PEM, and given both or neither.
	ClientCert []byte
	ClientKey  []byte
	// TLSServerName is the name to expect in the certificate, such as server.global.nomad; empty: the host of Address.
	TLSServerName string
}

// String names the address and which secrets there are, but no secret's value.
func (c Connection) String() string {
	parts := []string{c.Address}
	if c.Region != "" {
		parts = append(parts, "region "+c.Region)
	}
	if c.Token != "" {
		parts = append(parts, "with a token")
	}
	if c.AuthMethod != "" {
		parts = append(parts, "by auth method "+c.AuthMethod)
	}
	if len(c.CACert) > 0 {
		parts = append(parts, "with a CA certificate")
	}
	if len(c.ClientCert) > 0 {
		parts = append(parts, "with a client certificate")
	}
	if c.TLSServerName != "" {
		parts = append(parts, "as "+c.TLSServerName)
	}
	return strings.Join(parts, ", ")
}

// Format keeps %#v, %d and the like from printing the fields.
func (c Connection) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, c.String()) }

// MarshalJSON keeps encoders from printing the fields.
func (c Connection) MarshalJSON() ([]byte, error) { return json.Marshal(c.String()) }

// MarshalLog keeps loggers from printing the fields.
func (c Connection) MarshalLog() any { return c.String() }

// key identifies a connection without its secrets, for a map. All pools whose connections have one key
// share a watcher.
func (c Connection) key() string {
	h := sha256.New()
	for _, field := range [][]byte{
		[]byte(c.Address), []byte(c.Region), []byte(c.Token), c.CACert, c.ClientCert, c.ClientKey, []byte(c.TLSServerName),
		[]byte(c.AuthMethod), []byte(c.JWTFile), strconv.AppendBool(nil, c.OfPool),
	} {
		// The length first, so that no two lists of fields run together to the same bytes.
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(field))))
		h.Write(field)
	}
	return hex.EncodeToString(h.Sum(nil))
}
