package nomad

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/internal/finish"
)

// dialTimeout bounds each step of making a connection.
const dialTimeout = 10 * time.Second

// keepAlive has a connection end whose other side is gone, after 25 s, so that a list which waits there for a change
// isn't waited for in vain.
var keepAlive = net.KeepAliveConfig{Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3}

// requestsAtOnce is how many requests a connection has at once. The watchers have seven at most (the lists of nodes and
// of allocations, the leader or the token, and jobsAtATime), and the workers callsAtOnce.
const requestsAtOnce = 16

// newAPIClient gives each connection a transport of its own. It takes the proxy from the environment, and nothing else.
func newAPIClient(conn Connection, refuse func(netip.AddrPort) error, large *largeTurns) (*api.Client, error) {
	if conn.Address == "" {
		return nil, errors.New("no address")
	}
	transport := newTransport(conn, refuse, http.ProxyFromEnvironment)
	client := &http.Client{
		Transport: transport,
		// Nomad's API never redirects, and the header with the token would go along to wherever the redirect leads.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	err := api.ConfigureTLS(client, &api.TLSConfig{
		CACertPEM:     conn.CACert,
		ClientCertPEM: conn.ClientCert,
		ClientKeyPEM:  conn.ClientKey,
		TLSServerName: conn.TLSServerName,
	})
	if err != nil {
		return nil, err
	}
	client.Transport = finish.Writes(boundedBy(transport, large))
	return api.NewClient(&api.Config{Address: conn.Address, Region: conn.Region, SecretID: conn.Token, HttpClient: client})
}

// newTransport asks for the proxy once, because a connection has one address. If there is one, nothing else is dialled.
// The operator has chosen it, so refuse isn't asked.
func newTransport(conn Connection, refuse func(netip.AddrPort) error,
	proxyFor func(*http.Request) (*url.URL, error)) *http.Transport {
	var proxy *url.URL
	at, err := url.Parse(conn.Address)
	if err == nil {
		proxy, err = proxyFor(&http.Request{URL: at})
	}
	if proxy != nil {
		refuse = nil
	}
	// HTTP/1.1 only, as in Nomad's own client: one request that hangs then holds up no other.
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAliveConfig: keepAlive, Control: control(conn, refuse)}
	return &http.Transport{
		Proxy:                  func(*http.Request) (*url.URL, error) { return proxy, err },
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxConnsPerHost:        requestsAtOnce,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
}
