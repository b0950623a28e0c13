package nomad

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"k8s.io/utils/clock"
)

// A name may lead anywhere, so what is refused is the address that is dialled.
func TestLinkLocalAddressesAreNotDialled(t *testing.T) {
	for address, refused := range map[string]bool{
		"http://169.254.169.254:1": true, "http://[fe80::1]:1": true, "http://[::ffff:169.254.1.1]:1": true,
		"http://[fe80::1%25lo]:1": true, "http://127.0.0.1:1": false, "http://[64:ff9b::169.254.169.254]:1": true,
	} {
		for _, ofPool := range []bool{false, true} {
			c, err := newAPIClient(Connection{Address: address, OfPool: ofPool}, nil,
				newLargeTurns(clock.RealClock{}, newShared(), address))
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Status().Leader()
			if got := errors.Is(err, errLinkLocal); got != refused || err == nil {
				t.Errorf("%s: %v", address, err)
			}
		}
	}
}

// An address of IPv6 may lead to one of IPv4.
func TestEmbeddedAddresses(t *testing.T) {
	for address, want := range map[string]string{
		"10.0.0.1": "", "2a00::a00:1": "", "fd00::10.0.0.1": "", "::1": "", "::": "", "64:ff9a::10.0.0.1": "",
		"64:ff9b::10.53.0.1": "10.53.0.1", "64:ff9b::127.0.0.1": "127.0.0.1", "64:ff9b:0:1::10.53.0.1": "",
		"64:ff9b:1::10.53.0.1": "10.53.0.1", "64:ff9b:1:7:8::169.254.169.254": "169.254.169.254",
		"64:ff9b:1:a35:0:100::": "", "64:ff9b:2::10.53.0.1": "", "::10.53.0.1": "10.53.0.1", "::ffff:0:10.53.0.1": "10.53.0.1",
		"2002:a35:1::": "10.53.0.1", "2002:a9fe:a9fe:7::8": "169.254.169.254", "2003:a35:1::": "",
	} {
		if got, is := embedded(netip.MustParseAddr(address)); is != (want != "") || is && got.String() != want {
			t.Errorf("%s: %s, %t", address, got, is)
		}
	}
}

// Both the address and the one that it leads to are asked for.
func TestDialledAddresses(t *testing.T) {
	denied := errors.New("denied")
	for address, tc := range map[string]struct {
		ofPool bool
		denies string
		want   error
	}{
		"10.53.0.1:443":                 {true, "10.53.0.0/16", denied},
		"[::ffff:10.53.0.1]:443":        {true, "10.53.0.0/16", denied},
		"[64:ff9b::10.53.0.1]:443":      {true, "10.53.0.0/16", denied},
		"[64:ff9b::10.53.0.1]:444":      {false, "10.53.0.0/16", nil},
		"[64:ff9b::10.54.0.1]:443":      {true, "10.53.0.0/16", nil},
		"[64:ff9b::10.55.0.1]:443":      {true, "64:ff9b::/96", denied},
		"[2002:a35:1::1]:443":           {true, "10.53.0.0/16", denied},
		"[2002:a9fe:a9fe::1]:443":       {false, "10.53.0.0/16", errLinkLocal},
		"[64:ff9b::169.254.169.254]:80": {false, "10.53.0.0/16", errLinkLocal},
		"[::169.254.169.254]:80":        {false, "10.53.0.0/16", errLinkLocal},
		"[::1]:443":                     {true, "0.0.0.0/8", nil}, // it is no 0.0.0.1
	} {
		dial := control(Connection{OfPool: tc.ofPool}, func(to netip.AddrPort) error {
			if netip.MustParsePrefix(tc.denies).Contains(to.Addr()) && to.Port() == 443 {
				return denied
			}
			return nil
		})
		if err := dial("tcp", address, nil); !errors.Is(err, tc.want) || (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// What is refused for pools is the address that a name leads to, with its port, and isn't refused where the operator has
// chosen it.
func TestAddressesOfPoolsAreRefused(t *testing.T) {
	f := newFakeServer(t)
	port := f.Listener.Addr().(*net.TCPAddr).Port
	refusing := errors.New("the address isn't for you; do this")
	var (
		mu    sync.Mutex
		asked []netip.AddrPort
	)
	clusters := NewClusters(Options{RefuseAddress: func(to netip.AddrPort) error {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, to)
		return refusing
	}})
	sinceThen := func() []netip.AddrPort {
		mu.Lock()
		defer mu.Unlock()
		defer func() { asked = nil }()
		return asked
	}
	byName := "http://localhost:" + strings.TrimPrefix(f.URL, "http://127.0.0.1:")
	for _, address := range []string{f.URL, byName} {
		operators := clusters.Get(Connection{Address: address})
		if err := operators.Cordon(t.Context(), nodeA); !errors.Is(err, ErrNodeNotFound) || len(sinceThen()) > 0 {
			t.Errorf("the operator's %s: %v", address, err)
		}
		pools := clusters.Get(Connection{Address: address, OfPool: true})
		err := pools.Cordon(t.Context(), nodeA)
		if pools == operators || !errors.Is(err, ErrUnreachable) || !errors.Is(err, refusing) || Cause(err) != refusing.Error() {
			t.Errorf("%s: %v, because %q", address, err, Cause(err))
		}
		if tos := sinceThen(); len(tos) == 0 || int(tos[0].Port()) != port {
			t.Errorf("%s: asked for %v", address, tos)
		}
	}
}

// A server that may be asked leads nowhere else.
func TestRedirectsDontGetAroundRefusals(t *testing.T) {
	reached := false
	inner := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer inner.Close()
	outer := httptest.NewServer(http.RedirectHandler(inner.URL, http.StatusTemporaryRedirect))
	defer outer.Close()
	clusters := NewClusters(Options{RefuseAddress: func(to netip.AddrPort) error {
		if "http://"+to.String() != outer.URL {
			return errors.New("refused")
		}
		return nil
	}})
	c := clusters.Get(Connection{Address: outer.URL, OfPool: true})
	if err := errors.Join(c.Cordon(t.Context(), nodeA), c.Purge(t.Context(), nodeA)); err == nil || reached {
		t.Errorf("reached: %v, %v", reached, err)
	}
}

// It is said at once, and a person must mend it.
func TestRefusedAddressesAreReported(t *testing.T) {
	f := newFakeServer(t)
	clusters := NewClusters(Options{RefuseAddress: func(netip.AddrPort) error { return errors.New("name another") }})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { _ = clusters.Start(ctx); close(ended) }()
	c := clusters.Get(Connection{Address: f.URL, OfPool: true})
	eventually(t, "the refusal", func() bool {
		h := c.View().Health
		return h == Health{State: HealthAddressRefused, Cause: "name another"} && h.Misconfigured()
	})
	cancel()
	<-ended
	f.locked(func() {
		if len(f.requests) > 0 {
			t.Errorf("it was asked: %v", f.requests)
		}
	})
}
