package cli

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/client"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/config"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/httpapi"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/rpc"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

// files are the values of -config, in order.
type files []string

func (f *files) String() string     { return strings.Join(*f, ",") }
func (f *files) Set(v string) error { *f = append(*f, v); return nil }

func agent(s *shell, args []string) int {
	fs := flag.NewFlagSet("agent", flag.ContinueOnError)
	fs.SetOutput(s.err)
	var paths files
	fs.Var(&paths, "config", "file or directory of configuration")
	if fs.Parse(args) != nil {
		return 1
	}
	c, err := config.Read(paths...)
	if err != nil {
		return s.fail("==> %s", err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer outlive()()
	if err := runAgent(ctx, c, s.out); err != nil {
		return s.fail("==> Error starting agent: %s", err)
	}
	s.say("==> Nomad agent stopped")
	return 0
}

// outlive keeps the agent alive when its terminal or a reader goes, until the function that it returns is called. It
// catches the signals and drops them. If it ignored them, its tasks would inherit that.
func outlive() (end func()) {
	dropped := make(chan os.Signal, 1) // a full channel drops what comes
	signal.Notify(dropped, syscall.SIGHUP, syscall.SIGPIPE)
	return func() { signal.Stop(dropped) }
}

// running is an agent with its parts.
type running struct {
	config *config.Agent
	log    hclog.Logger
	server *server.Server
	api    http.Handler
	client *client.Client
}

// runAgent runs server and client until ctx ends.
func runAgent(ctx context.Context, c *config.Agent, out io.Writer) error {
	a := &running{
		config: c,
		log: hclog.New(
			&hclog.LoggerOptions{Name: "nomad", Level: hclog.LevelFromString(c.LogLevel), Output: out,
				TimeFormat: time.RFC3339Nano},
		),
	}
	a.log.Info("the stand-in for Nomad starts", "files", c.Files)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if c.Server.Enabled {
		if err := a.startServer(ctx); err != nil {
			return err
		}
	}
	ended := make(chan error, 1)
	if c.Client.Enabled {
		rpcTLS, err := clientTLS(c)
		if err != nil {
			return err
		}
		if a.client, err = client.New(c, rpcTLS, a.log.Named("client")); err != nil {
			return err
		}
		go func() { ended <- a.client.Run(ctx) }()
	} else {
		go func() { <-ctx.Done(); ended <- nil }()
	}
	if err := a.serveHTTP(ctx); err != nil {
		return err
	}
	notify("READY=1")
	<-ctx.Done()
	notify("STOPPING=1")
	err := <-ended
	if a.server != nil {
		err = errors.Join(err, a.server.Stop())
	}
	return err
}

func (a *running) startServer(ctx context.Context) error {
	c := a.config
	var pages http.Handler
	rpcTLS, err := serverTLS(c, c.TLS.RPC, true)
	if err != nil {
		return err
	}
	o := c.Server
	a.server, err = server.New(server.Config{
		Name: cmp.Or(c.Name, hostname()), Region: c.Region, Datacenter: c.Datacenter, DataDir: c.DataDir,
		HTTPAddr: c.Advertise.HTTP, RPCAddr: c.Advertise.RPC, SerfAddr: c.Advertise.Serf,
		RPCBind: c.RPCBind(), SerfBind: c.SerfBind(), BootstrapExpect: o.BootstrapExpect,
		RetryJoin: append(o.RetryJoin, o.ServerJoin.RetryJoin...), RetryInterval: o.ServerJoin.RetryInterval,
		RPCTLS: rpcTLS, HTTPTLS: c.TLS.HTTP,
		ACLEnabled: c.ACL.Enabled, TokenMinTTL: c.ACL.TokenMinTTL, TokenMaxTTL: c.ACL.TokenMaxTTL,
		Enforcement:    acl.Enforcement(o.ClientIntroduction.Enforcement),
		Introduction:   acl.Introduction{DefaultTTL: o.ClientIntroduction.DefaultTTL, MaxTTL: o.ClientIntroduction.MaxTTL},
		HeartbeatGrace: o.HeartbeatGrace, MinHeartbeatTTL: o.MinHeartbeatTTL, FailoverHeartbeatTTL: o.FailoverHeartbeatTTL,
		MaxHeartbeatsPerSecond: o.MaxHeartbeatsPerSecond,
		NodeGCThreshold:        o.NodeGCThreshold, JobGCThreshold: o.JobGCThreshold, EvalGCThreshold: o.EvalGCThreshold,
		EventBufferSize: o.EventBufferSize, Logger: a.log.Named("server"),
	})
	if err != nil {
		return err
	}
	peerTLS, err := clientTLS(c)
	if err != nil {
		return err
	}
	options := httpapi.Options{ACL: c.ACL.Enabled, Region: c.Region, Transport: &http.Transport{TLSClientConfig: peerTLS}}
	a.api = httpapi.New(a.server, options)
	pages = a.api
	if err := a.server.Start(ctx); err != nil {
		return err
	}
	_, err = rpc.Listen(ctx, a.server, pages)
	return err
}

func (a *running) serveHTTP(ctx context.Context) error {
	handler := a.api
	if a.client != nil {
		handler = a.clientPages(handler)
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", a.config.HTTPBind())
	if err != nil {
		return err
	}
	if a.config.TLS.HTTP {
		t, err := serverTLS(a.config, true, a.config.TLS.VerifyHTTPSClient)
		if err != nil {
			return err
		}
		listener = tls.NewListener(listener, t)
	}
	s := &http.Server{Handler: handler, ReadHeaderTimeout: 30 * time.Second,
		ErrorLog: a.log.StandardLogger(&hclog.StandardLoggerOptions{ForceLevel: hclog.Debug})}
	context.AfterFunc(ctx, func() { _ = s.Close() })
	go func() { _ = s.Serve(listener) }() // returns when it is closed
	return nil
}

// serverTLS is that of a listener, nil without TLS.
func serverTLS(c *config.Agent, on, verify bool) (*tls.Config, error) {
	if !on {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	pair, pool, err := certificates(c)
	if err != nil {
		return nil, err
	}
	t := &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, MinVersion: tls.VersionTLS12}
	if verify {
		t.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return t, nil
}

// clientTLS is that towards servers, nil without TLS.
func clientTLS(c *config.Agent) (*tls.Config, error) {
	if !c.TLS.RPC {
		return nil, nil //nolint:nilnil // no TLS is no error
	}
	pair, pool, err := certificates(c)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool, ServerName: "server." + c.Region + ".nomad",
		MinVersion: tls.VersionTLS12}, nil
}

func certificates(c *config.Agent) (tls.Certificate, *x509.CertPool, error) {
	pair, err := tls.LoadX509KeyPair(c.TLS.CertFile, c.TLS.KeyFile)
	if err != nil {
		return pair, nil, fmt.Errorf("failed to load cert/key pair: %w", err)
	}
	pem, err := os.ReadFile(c.TLS.CAFile)
	if err != nil {
		return pair, nil, fmt.Errorf("failed to read CA file: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return pair, nil, fmt.Errorf("failed to parse CA certificate in file: %s", c.TLS.CAFile)
	}
	return pair, pool, nil
}

// notify tells systemd, if it is there, how the agent is.
func notify(state string) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return
	}
	_, _ = conn.Write([]byte(state))
	_ = conn.Close()
}
