package nomad

import (
	"encoding/pem"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/utils/clock"
)

// A server's certificate is held to the name that the connection says, not to that of its address. httptest's
// certificate is of example.com and of 127.0.0.1.
func TestServerNameOfTLS(t *testing.T) {
	server := httptest.NewTLSServer(saying(`"127.0.0.1:4647"`))
	t.Cleanup(server.Close)
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})
	for name, want := range map[string]string{
		"": "", "example.com": "", "server.global.nomad": "certificate is valid for example.com",
	} {
		client, err := newAPIClient(Connection{Address: server.URL, CACert: ca, TLSServerName: name}, nil,
			newLargeTurns(clock.RealClock{}, newShared(), server.URL))
		if err != nil {
			t.Fatal(err)
		}
		_, err = client.Status().Leader()
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v", name, err)
		}
		client.Close()
	}
}
