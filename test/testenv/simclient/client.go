package simclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"
)

// retryInterval is how long a client waits after it lost its server, or was refused. Real ones wait 15 s and
// more; tests haven't the time.
const retryInterval = 500 * time.Millisecond

// Options describe one client. A zero value of what isn't marked as needed takes Nomad's own default.
type Options struct {
	// Servers are RPC addresses, host:port, tried in turn. Needed.
	Servers []string
	// TLS is the configuration for RPC; nil means plain TCP.
	TLS *tls.Config

	// ID is the node ID; empty makes a random one, or takes that of StateDir.
	ID string
	// Name is the node's name. Needed: there is no host to take it from.
	Name                                    string
	Region, Datacenter, NodePool, NodeClass string
	Meta                                    map[string]string
	// HTTPAddr is where the node says that it answers HTTP, which a simulated one doesn't; empty means 127.0.0.1:4646.
	HTTPAddr string
	// CPUMHz and MemoryMiB are the node's resources; 0 means 4000 and 8192.
	CPUMHz, MemoryMiB int

	// IntroToken is a client introduction token (JWT), for servers that want one.
	IntroToken string
	// StateDir keeps ID, secret and identity over restarts in the files that a real client uses
	// (client-id, secret-id, intro_token.jwt); empty keeps them in memory.
	StateDir string
	// StopDelay is how long an allocation takes to stop.
	StopDelay time.Duration
	// Report is called with every change of the client's luck: nil when it has become ready, else why it
	// isn't. It must not block. Nil ignores it.
	Report func(error)
}

// Client is a simulated client that runs until Stop.
type Client struct {
	options Options

	life    sync.Mutex         // guards the three below, also while the end of a run is awaited
	cancel  context.CancelFunc // nil while paused or stopped
	ended   chan struct{}      // closed when the present run has ended
	stopped bool

	mu     sync.Mutex // guards the two below
	state  state
	allocs map[string]string // client status last reported, by allocation ID
}

// Start begins to register the client and returns at once; Options.Report tells how it goes. Like a real
// client it never gives up: refused or disconnected, it tries again.
func Start(o Options) (*Client, error) {
	if len(o.Servers) == 0 || o.Name == "" {
		return nil, errors.New("simulated client needs servers and a name")
	}
	defaults(&o)
	s, err := loadState(o)
	if err != nil {
		return nil, fmt.Errorf("state of simulated client %s: %w", o.Name, err)
	}
	c := &Client{options: o, state: s, allocs: map[string]string{}}
	return c, c.Resume()
}

func defaults(o *Options) {
	for _, d := range []struct {
		field *string
		value string
	}{{&o.Region, "global"}, {&o.Datacenter, "dc1"}, {&o.NodePool, "default"}, {&o.HTTPAddr, "127.0.0.1:4646"}} {
		if *d.field == "" {
			*d.field = d.value
		}
	}
	if o.CPUMHz == 0 {
		o.CPUMHz = 4000
	}
	if o.MemoryMiB == 0 {
		o.MemoryMiB = 8192
	}
	if o.Report == nil {
		o.Report = func(error) {}
	}
}

// ID is the node ID.
func (c *Client) ID() string { return c.state.id }

// Pause stops heartbeats and everything else, as a frozen client would.
func (c *Client) Pause() error {
	c.life.Lock()
	defer c.life.Unlock()
	c.endRun()
	return nil
}

// Resume goes on after Pause; the client still knows its allocations. It does nothing on a client that runs,
// or was stopped.
func (c *Client) Resume() error {
	c.life.Lock()
	defer c.life.Unlock()
	if c.cancel != nil || c.stopped {
		return nil
	}
	ctx, cancel := context.WithCancel(context.Background())
	c.cancel, c.ended = cancel, make(chan struct{})
	go func(ended chan struct{}) {
		defer close(ended)
		c.run(ctx)
	}(c.ended)
	return nil
}

// Stop ends the client as a power failure would: the server learns of it by missing heartbeats.
func (c *Client) Stop() error {
	c.life.Lock()
	defer c.life.Unlock()
	c.stopped = true
	c.endRun()
	return nil
}

func (c *Client) endRun() {
	if c.cancel != nil {
		c.cancel()
		<-c.ended
		c.cancel = nil
	}
}

// run keeps a session with one of the servers.
func (c *Client) run(ctx context.Context) {
	for attempt := 0; ; attempt++ {
		err := c.session(ctx, c.options.Servers[attempt%len(c.options.Servers)])
		if ctx.Err() != nil {
			return
		}
		c.options.Report(err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(retryInterval):
		}
	}
}
