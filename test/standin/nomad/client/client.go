package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/yamux"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/config"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// retryInterval is how long a client waits after it lost its server or was refused.
const retryInterval = time.Second

// Client is a running client.
type Client struct {
	config   *config.Agent
	log      hclog.Logger
	tls      *tls.Config
	stateDir string
	allocDir string
	identity identity
	drivers  map[string]driver

	mu      sync.Mutex
	node    *state.Node
	dynamic map[string]*string // meta set while running
	allocs  map[string]*alloc
	session *yamux.Session // nil while there is none
	// contacted is closed when the servers have said for the first time what is to run.
	contacted chan struct{}
	once      sync.Once
	writing   sync.Mutex // of the state file
	reports   chan struct{}
}

// New reads the state that an earlier client left, and makes one.
func New(c *config.Agent, rpcTLS *tls.Config, log hclog.Logger) (*Client, error) {
	if len(c.Client.ServerAddresses()) == 0 && !c.Server.Enabled {
		log.Warn("no servers to join are configured")
	}
	cl := &Client{
		config: c, log: log, tls: rpcTLS, allocs: map[string]*alloc{}, dynamic: map[string]*string{},
		stateDir: c.Client.StateDir, allocDir: c.Client.AllocDir, contacted: make(chan struct{}),
		reports: make(chan struct{}, 1),
	}
	if cl.stateDir == "" {
		cl.stateDir = filepath.Join(c.DataDir, "client")
	}
	if cl.allocDir == "" {
		cl.allocDir = filepath.Join(c.DataDir, "alloc")
	}
	for _, dir := range []string{cl.stateDir, cl.allocDir} {
		if err := os.MkdirAll(dir, 0o711); err != nil {
			return nil, fmt.Errorf("failed creating directory %s: %w", dir, err)
		}
	}
	var err error
	if cl.identity, err = loadIdentity(cl.stateDir); err != nil {
		return nil, fmt.Errorf("node ID setup failed: %w", err)
	}
	cl.drivers = driversOf(c)
	if cl.node, err = cl.fingerprint(); err != nil {
		return nil, err
	}
	return cl, cl.restore()
}

// NodeID is the node's.
func (c *Client) NodeID() string { return c.identity.id }

// Run keeps a session with one of the servers until ctx ends. What runs on the node goes on then.
func (c *Client) Run(ctx context.Context) error {
	servers := c.config.Client.ServerAddresses()
	if c.config.Server.Enabled {
		servers = append(servers, c.config.Advertise.RPC)
	}
	c.log.Info("node registration begins", "node_id", c.identity.id, "servers", servers)
	for attempt := 0; ctx.Err() == nil; attempt++ {
		err := errors.New("no servers")
		if len(servers) > 0 {
			err = c.keepSession(ctx, servers[attempt%len(servers)])
		}
		if ctx.Err() != nil {
			break
		}
		c.log.Error("error registering or keeping in touch", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(retryInterval):
		}
	}
	return c.persist()
}

// Handler is the client's part of the HTTP API.
func (c *Client) Handler() http.Handler { return c.pages() }
