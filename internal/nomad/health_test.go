package nomad

import (
	"errors"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// Who reads a condition is sent to the place where the mistake can be mended.
func TestMessagesNameThePlaceToMend(t *testing.T) {
	own := Connection{Address: "https://own:4646", Token: "own", AddressIn: "the controller's NOMAD_ADDR", TokenIn: inOwnSecret}
	other := v1alpha1.NomadConnection{Address: "https://other:4646"}
	token := secretWith(map[string]string{"token": "theirs"})
	for name, c := range map[string]struct {
		conn        func() (Connection, error)
		token, addr string
	}{
		"controller's own": {func() (Connection, error) { return Resolve(own, v1alpha1.NomadConnection{}, nil) },
			"into the Secret nomad-harvester-nomad in the controller's namespace as the key NOMAD_TOKEN, with", "check that the controller's NOMAD_ADDR is right"},
		"own address, token of the pool's Secret": {func() (Connection, error) { return Resolve(own, v1alpha1.NomadConnection{}, token) },
			"into the Secret that spec.nomad.credentialsSecretRef names, with", "check that the controller's NOMAD_ADDR is right"},
		"both of the pool": {func() (Connection, error) { return Resolve(own, other, token) },
			"into the Secret that spec.nomad.credentialsSecretRef names, with", "check that spec.nomad.address is right"},
		"no token at all": {func() (Connection, error) { return Resolve(own, other, nil) },
			"into a Secret in the pool's namespace as the key token, and name that in spec.nomad.credentialsSecretRef, with", "check that spec.nomad.address is right"},
	} {
		t.Run(name, func(t *testing.T) {
			conn, err := c.conn()
			if err != nil {
				t.Fatal(err)
			}
			if m := healthRefused(originOf(conn), errors.New("x")).Message; !strings.Contains(m, c.token) || !strings.Contains(m, `capabilities = ["read-job"]`) {
				t.Errorf("got %q", m)
			}
			if m := healthUnreachable(originOf(conn), errors.New("x")).Message; !strings.Contains(m, c.addr) {
				t.Errorf("got %q", m)
			}
		})
	}
}
