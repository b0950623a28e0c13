package nomad

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/canary"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

const (
	// Region is the region of the server, and what its certificates are made for.
	Region = "global"
	// Datacenter is the datacenter of the server; clients may have another one.
	Datacenter = "dc1"
)

const (
	startTimeout = 60 * time.Second
	pollInterval = 50 * time.Millisecond
)

// ServerOptions say what kind of Nomad server to run.
type ServerOptions struct {
	// Bin is the path of the nomad binary.
	Bin string
	// Dir holds configuration, data and log; it's made if missing and kept by Stop.
	Dir string
	// ACL turns the ACL system on and bootstraps it.
	ACL bool
	// TLS serves HTTP and RPC with mutual TLS, as Nomad's production guide asks: clients need a certificate.
	TLS bool
	// Introduction is client_introduction.enforcement: none, warn or strict. Empty leaves the block out,
	// which Nomad takes as warn. Servers that give no introduction tokens refuse the block: see Introduces.
	Introduction string
	// Advertise is the address of the RPC listener for clients that can't reach 127.0.0.1 under that name; empty for those
	// that can. Nobody on this machine connects to it: servers among themselves use what is advertised for serf.
	Advertise string
	// HeartbeatGrace is how long a client may be late before its node is down; zero means 4 s, because a busy
	// machine may not get to it for a while.
	HeartbeatGrace time.Duration
	// Region is the server's own, Region if empty. Its certificates are made for Region alone.
	Region string
	// Federate is a server of another region to join; nil: none.
	Federate *Server
	// Secrets takes in every token that is made; nil: none does.
	Secrets *canary.Set
	// Progress receives a line when the server is up; nil discards it.
	Progress io.Writer
}

// Server is a running Nomad server. Its addresses, token and certificates stay the same over restarts.
type Server struct {
	// Addr is the HTTP address with scheme, as in NOMAD_ADDR.
	Addr string
	// RPCAddr is host:port of the RPC listener as advertised: what clients put in `servers`.
	RPCAddr string
	// Token is the management token, empty without ACLs.
	Token string
	// CACert, ClientCert and ClientKey are PEM files, empty without TLS. The client certificate serves
	// client agents (client.global.nomad) as well as the command line and the API (cli.global.nomad).
	CACert, ClientCert, ClientKey string
	// Client is an API client with the management token.
	Client *api.Client

	options ServerOptions
	config  serverConfig
	service *process.Service
	peers   []*process.Service
}

// StartServer starts a server and returns when it leads its cluster of one and, with ACLs, is bootstrapped.
// When it fails, nothing keeps running.
func StartServer(ctx context.Context, o ServerOptions) (*Server, error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	began := time.Now()
	s, err := newServer(o)
	if err != nil {
		return nil, fmt.Errorf("configure nomad server: %w", err)
	}
	if err := s.service.Start(ctx); err != nil {
		return nil, fmt.Errorf("start nomad server: %w", err)
	}
	if o.ACL {
		if err := s.bootstrapACL(ctx); err != nil {
			return nil, errors.Join(fmt.Errorf("bootstrap nomad ACLs: %w", err), s.Stop())
		}
	}
	if o.Progress != nil {
		_, _ = fmt.Fprintf(o.Progress, "nomad server leads at %s after %.1fs\n", s.Addr, time.Since(began).Seconds())
	}
	return s, nil
}

func newServer(o ServerOptions) (*Server, error) {
	// Nomad wants absolute paths in its configuration.
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	config := serverConfig{Name: "server-1", Region: cmp.Or(o.Region, Region), Leads: true, Dir: dir, ACL: o.ACL,
		Introduction: o.Introduction}
	config.Advertise, config.HeartbeatGrace = cmp.Or(o.Advertise, "127.0.0.1"), cmp.Or(o.HeartbeatGrace, 4*time.Second)
	if err := config.freePorts(); err != nil {
		return nil, err
	}
	if o.Federate != nil {
		config.Join = o.Federate.serfAddress()
	}
	s := &Server{
		Addr:    fmt.Sprintf("http://127.0.0.1:%d", config.HTTPPort),
		RPCAddr: fmt.Sprintf("%s:%d", config.Advertise, config.RPCPort),
	}
	if o.TLS {
		if config.Certificates, err = writeCertificates(filepath.Join(dir, "tls"), time.Now()); err != nil {
			return nil, err
		}
		s.Addr = fmt.Sprintf("https://127.0.0.1:%d", config.HTTPPort)
		s.CACert, s.ClientCert, s.ClientKey = config.Certificates.CA, config.Certificates.ClientCert,
			config.Certificates.ClientKey
	}
	file := filepath.Join(dir, "server.hcl")
	if err := config.write(file); err != nil {
		return nil, err
	}
	s.options, s.config = o, config
	if s.Client, err = s.ClientWithToken(""); err != nil {
		return nil, err
	}
	s.service = serverProcess(o.Bin, file, config.Name, s.leads)
	return s, nil
}

func (s *Server) serfAddress() string { return fmt.Sprintf("127.0.0.1:%d", s.config.SerfPort) }

func serverProcess(bin, file, name string, ready func(context.Context) error) *process.Service {
	return &process.Service{
		Spec: process.Spec{
			Name:    "nomad " + name,
			Path:    bin,
			Args:    []string{"agent", "-config", file},
			Env:     cleanEnv(os.Environ()),
			LogFile: filepath.Join(filepath.Dir(file), "server.log"),
		},
		Ready: ready,
	}
}

// leads fails unless the server is the leader of its cluster, and has made the keys that identities are
// signed with: that takes a moment longer, and until then every introduction token is refused with a 500.
func (s *Server) leads(ctx context.Context) error {
	options := (&api.QueryOptions{}).WithContext(ctx)
	var leader string // Status().Leader() would know no context
	if _, err := s.Client.Raw().Query("/v1/status/leader", &leader, options); err != nil {
		return err
	}
	if leader == "" {
		return errors.New("no leader yet")
	}
	var public struct{ Keys []any }
	if _, err := s.Client.Raw().Query("/.well-known/jwks.json", &public, options); err != nil {
		return err
	}
	if len(public.Keys) == 0 {
		return errors.New("no signing key yet")
	}
	return nil
}

// ClientWithToken returns an API client that acts with the given secret ID; an empty one is anonymous.
func (s *Server) ClientWithToken(secretID string) (*api.Client, error) {
	config := &api.Config{Address: s.Addr, Region: s.config.Region, SecretID: secretID}
	if s.CACert != "" {
		config.TLSConfig = &api.TLSConfig{CACert: s.CACert, ClientCert: s.ClientCert, ClientKey: s.ClientKey}
	}
	return api.NewClient(config)
}

// Process is the present life of the server, for Kill, Pause and Resume.
func (s *Server) Process() *process.Process { return s.service.Process() }

// Restart ends the server if it runs and starts it again with the same ports and data, and returns when its
// cluster has a leader again. Heartbeat timers start anew then, so that clients that died meanwhile look ready for half
// a minute more (failover_heartbeat_ttl; five minutes in production).
func (s *Server) Restart(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	if err := s.service.Restart(ctx); err != nil {
		return fmt.Errorf("restart nomad server: %w", err)
	}
	return nil
}

// Stop ends the server and its peers, and waits for their end. Their directories stay.
func (s *Server) Stop() error {
	var errs []error
	for _, p := range append(s.peers, s.service) {
		errs = append(errs, p.Stop())
	}
	return errors.Join(errs...)
}
