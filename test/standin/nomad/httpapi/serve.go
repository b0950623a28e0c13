package httpapi

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"
)

// Certificates are the PEM files of the block tls.
type Certificates struct{ CA, Cert, Key string }

// ServerTLS is the configuration of a listener. With verifyClient it lets in who shows a certificate of the same
// authority alone (verify_https_client, facts/nomad.md §4).
func ServerTLS(files Certificates, verifyClient bool) (*tls.Config, error) {
	pool, pair, err := files.load()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool}
	if verifyClient {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// ClientTLS is the configuration towards other agents, which are known by the name.
func ClientTLS(files Certificates, serverName string) (*tls.Config, error) {
	pool, pair, err := files.load()
	if err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, RootCAs: pool,
		ServerName: serverName}, nil
}

func (c Certificates) load() (*x509.CertPool, tls.Certificate, error) {
	authorities, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("failed to read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(authorities) {
		return nil, tls.Certificate{}, fmt.Errorf("failed to parse any valid certificates in CA file: %s", c.CA)
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, tls.Certificate{}, fmt.Errorf("failed to load cert/key pair: %w", err)
	}
	return pool, pair, nil
}

// headerTimeout is for a client that connects and asks nothing.
const headerTimeout = 30 * time.Second

// Serve answers on the listener until ctx ends, over TLS if there is a configuration. Requests under way are cut off
// then, as many wait for minutes.
func Serve(ctx context.Context, listener net.Listener, config *tls.Config, h http.Handler) error {
	server := &http.Server{Handler: h, ReadHeaderTimeout: headerTimeout}
	if config != nil {
		// HTTP/1.1 alone, as with Nomad: exec takes over its connection.
		config = config.Clone()
		config.NextProtos = []string{"http/1.1"}
		listener = tls.NewListener(listener, config)
	}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	err := server.Serve(listener)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
