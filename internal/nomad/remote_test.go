package nomad

import (
	"errors"
	"testing"

	"k8s.io/utils/clock"
)

// A name may lead anywhere, so what is refused is the address that is dialled.
func TestLinkLocalAddressesAreNotDialled(t *testing.T) {
	for address, refused := range map[string]bool{
		"http://169.254.169.254:1": true, "http://[fe80::1]:1": true, "http://[::ffff:169.254.1.1]:1": true,
		"http://127.0.0.1:1": false,
	} {
		c, err := newAPIClient(Connection{Address: address}, newLargeTurns(clock.RealClock{}, newShared()))
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Status().Leader()
		if got := errors.Is(err, errLinkLocal); got != refused || err == nil {
			t.Errorf("%s: %v", address, err)
		}
	}
}
