package nomad

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"regexp"
	"time"

	"github.com/hashicorp/nomad/api"
	"golang.org/x/sync/semaphore"

	"github.com/nomad-harvester/nomad-harvester/internal/finish"
)

// dialTimeout bounds each step of making a connection.
const dialTimeout = 10 * time.Second

// requestsAtOnce is how many requests a connection has at once. The watchers have seven at most (the lists of nodes and
// of allocations, the leader or the token, and jobsAtATime), and the workers callsAtOnce.
const requestsAtOnce = 16

// remote sends single requests to one cluster. It keeps no state but caches, and no Connection: a struct with a
// Connection in a field can print its secrets.
type remote struct {
	api *api.Client
	// broken is why there is no client; every request fails with it.
	broken error
	// timeout of a request that doesn't wait for a change.
	timeout    time.Duration
	migrations *migrations
	// allocations is the memory for lists of allocations (holding).
	allocations *semaphore.Weighted
	// session is nil if the connection has a token of its own, or none.
	session *session
}

func newRemote(conn Connection, o Options, all shared) *remote {
	r := &remote{timeout: o.RequestTimeout, migrations: newMigrations(), allocations: all.allocations}
	client, err := newAPIClient(conn, o.RefuseAddress, newLargeTurns(o.Clock, all))
	if err != nil {
		r.broken = fmt.Errorf("connection to Nomad at %s: %w", conn.Address, err)
	}
	r.api = client
	return r
}

// newAPIClient gives each connection a transport of its own and takes nothing from the environment.
func newAPIClient(conn Connection, refuse func(netip.AddrPort) error, large *largeTurns) (*api.Client, error) {
	if conn.Address == "" {
		return nil, errors.New("no address")
	}
	// HTTP/1.1 only, as in Nomad's own client: one request that hangs then holds up no other.
	dialer := &net.Dialer{Timeout: dialTimeout, KeepAlive: dialTimeout, Control: control(conn, refuse)}
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            dialer.DialContext,
		TLSHandshakeTimeout:    dialTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		MaxConnsPerHost:        requestsAtOnce,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: maxHeader,
	}
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

// query does one read. Its timeout is added to the time that the server may wait for a change.
func (r *remote) query(ctx context.Context, doing string, q api.QueryOptions,
	do func(*api.QueryOptions) error) (err error) {
	if r.broken != nil {
		return r.broken
	}
	ctx, ended := timed(ctx)
	defer func() { ended(err) }()
	if q.AuthToken, err = r.token(ctx); err != nil {
		return err
	}
	// The server adds up to a sixteenth to the wait (Nomad: nomad/rpc.go, blockingRPC).
	ctx, cancel := context.WithTimeout(ctx, q.WaitTime+q.WaitTime/16+r.timeout)
	defer cancel()
	return r.noteRefusal(Classify(doing, catchPanic(func() error { return do(q.WithContext(ctx)) })))
}

// write does one write.
func (r *remote) write(ctx context.Context, doing string, do func(*api.WriteOptions) error) (err error) {
	if r.broken != nil {
		return r.broken
	}
	ctx, ended := timed(ctx)
	defer func() { ended(err) }()
	token, err := r.token(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	return r.noteRefusal(Classify(doing, catchPanic(func() error {
		return do((&api.WriteOptions{AuthToken: token}).WithContext(ctx))
	})))
}

func (r *remote) close() {
	if r.api != nil {
		r.api.Close()
	}
}

var nodeIDPattern = regexp.MustCompile(`^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`)

// checkNodeID keeps anything but a complete node ID out of request paths and filters: Nomad would take a part of an ID
// for a prefix that matches many nodes.
func checkNodeID(id string) error {
	if !nodeIDPattern.MatchString(id) {
		return fmt.Errorf("%q is not a Nomad node ID", id)
	}
	return nil
}
