package nomad

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"testing"
)

// The operator has chosen the proxy, so its own address isn't held to what pools may name. Without a proxy it is.
func TestTheProxyIsTheOperators(t *testing.T) {
	var asked string
	proxy := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { asked = r.URL.String() }))
	defer proxy.Close()
	refused := errors.New("of loopback")
	refuse := func(to netip.AddrPort) error {
		if to.Addr().IsLoopback() {
			return refused
		}
		return nil
	}
	for name, tc := range map[string]struct {
		address, proxy string
		asked          string
		err            error
	}{
		"through the proxy":     {"http://nomad.invalid:4646", proxy.URL, "http://nomad.invalid:4646/v1/nodes", nil},
		"without one":           {proxy.URL, "", "", refused},
		"the proxy is no Nomad": {"http://nomad.invalid:4646", "http://169.254.169.254:1", "", errLinkLocal},
	} {
		asked = ""
		from := func(*http.Request) (*url.URL, error) {
			if tc.proxy == "" {
				return nil, nil
			}
			return url.Parse(tc.proxy)
		}
		client := http.Client{Transport: newTransport(Connection{Address: tc.address, OfPool: true}, refuse, from)}
		resp, err := client.Get(tc.address + "/v1/nodes")
		if err == nil {
			err = resp.Body.Close()
		}
		if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) || asked != tc.asked {
			t.Errorf("%s: asked for %q, %v", name, asked, err)
		}
		client.CloseIdleConnections()
	}
}

// A proxy that the environment names badly isn't gone around.
func TestABadProxyIsAnError(t *testing.T) {
	bad := errors.New("it is none")
	transport := newTransport(Connection{Address: "http://127.0.0.1:1"}, nil,
		func(*http.Request) (*url.URL, error) { return nil, bad })
	if _, err := transport.Proxy(nil); !errors.Is(err, bad) {
		t.Errorf("got %v", err)
	}
}
