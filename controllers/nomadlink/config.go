package nomadlink

import "github.com/nomad-harvester/nomad-harvester/internal/nomad"

// Config is a Connection to Nomad and where its parts are configured. Like the Connection it prints itself without
// secrets.
type Config struct {
	nomad.Connection
	// AddressIn and TokenIn are where address and token were found, or are to be put, in words for the conditions;
	// empty: in spec.nomad, and in the Secret that it names.
	AddressIn, TokenIn string
	// TLSIn is the same of what TLS needs; zero: in the Secret that spec.nomad names.
	TLSIn tlsPlaces
	// Namespaces are those whose pools may use the token and the client certificate of the default connection, and
	// Addresses are those that pools may name beside the default one.
	Namespaces, Addresses allowed
}

// Where the address is configured; follows "check that" in a message.
const (
	inSpecAddress    = "spec.nomad.address"
	inDefaultAddress = "the controller's NOMAD_ADDR"
)

// Where a token has to be put; follows "into" in a message.
const (
	inSpecSecret     = "the Secret that spec.nomad.credentialsSecretRef names"
	inNoSecret       = "a Secret in the pool's namespace as the key token, and name that in spec.nomad.credentialsSecretRef"
	inDefaultsSecret = "the Secret " + DefaultsSecret + " in the controller's namespace as the key NOMAD_TOKEN"
	inEnvironment    = "the environment of the controller as NOMAD_TOKEN"
)
