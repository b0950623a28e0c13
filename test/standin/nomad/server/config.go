package server

import (
	"crypto/tls"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/drainer"
)

// Version is what the stand-in says that it is.
const Version = "1.11.3"

// Config is what a server is configured with; zero values take Nomad's defaults.
type Config struct {
	// Name is the name of the agent, Region and Datacenter where it is.
	Name, Region, Datacenter string
	// DataDir is data_dir of the agent: the server's state is in its directory server. Empty: in memory.
	DataDir string
	// HTTPAddr and RPCAddr are host:port as advertised, SerfAddr that of other servers.
	HTTPAddr, RPCAddr, SerfAddr string
	// RPCBind and SerfBind are host:port to listen on; an empty RPCBind opens none, as in tests.
	RPCBind, SerfBind string
	// BootstrapExpect is how many servers elect the first leader; 0 waits for others.
	BootstrapExpect int
	// RetryJoin are serf addresses of servers to join.
	RetryJoin     []string
	RetryInterval time.Duration
	// RPCTLS is the configuration of the RPC listener, nil: plain. PeerTLS that of connections to other servers.
	RPCTLS, PeerTLS *tls.Config
	// HTTPTLS says that HTTPAddr speaks TLS.
	HTTPTLS bool

	// ACLEnabled turns ACLs on.
	ACLEnabled bool
	// TokenMinTTL and TokenMaxTTL limit ACL tokens that expire (acl.token_min_expiration_ttl,
	// acl.token_max_expiration_ttl).
	TokenMinTTL, TokenMaxTTL time.Duration
	// Enforcement and Introduction are the block client_introduction.
	Enforcement  acl.Enforcement
	Introduction acl.Introduction

	// The timing of heartbeats (server block).
	HeartbeatGrace, MinHeartbeatTTL, FailoverHeartbeatTTL time.Duration
	MaxHeartbeatsPerSecond                                float64
	// NodeGCThreshold, JobGCThreshold and EvalGCThreshold say how long what has ended is kept.
	NodeGCThreshold, JobGCThreshold, EvalGCThreshold time.Duration
	// EventBufferSize is how many changes the event stream knows (default 100).
	EventBufferSize int

	// Quirks are those of the drainer.
	Quirks drainer.Quirks
	// Logger receives what Nomad would log; nil: nothing.
	Logger hclog.Logger
}

func (c *Config) defaults() {
	for _, d := range []struct {
		field *time.Duration
		value time.Duration
	}{
		{&c.HeartbeatGrace, 10 * time.Second}, {&c.MinHeartbeatTTL, 10 * time.Second},
		{&c.FailoverHeartbeatTTL, 5 * time.Minute},
		{&c.NodeGCThreshold, 24 * time.Hour}, {&c.JobGCThreshold, 4 * time.Hour}, {&c.EvalGCThreshold, time.Hour},
		{&c.Introduction.DefaultTTL, 5 * time.Minute}, {&c.Introduction.MaxTTL, 30 * time.Minute},
		{&c.TokenMinTTL, time.Minute}, {&c.TokenMaxTTL, 24 * time.Hour}, {&c.RetryInterval, 30 * time.Second},
	} {
		if *d.field == 0 {
			*d.field = d.value
		}
	}
	if c.MaxHeartbeatsPerSecond == 0 {
		c.MaxHeartbeatsPerSecond = 50
	}
	if c.EventBufferSize == 0 {
		c.EventBufferSize = 100
	}
	if c.Enforcement == "" {
		c.Enforcement = acl.EnforceWarn
	}
	if c.Region == "" {
		c.Region = "global"
	}
	if c.Datacenter == "" {
		c.Datacenter = "dc1"
	}
	if c.Logger == nil {
		c.Logger = hclog.NewNullLogger()
	}
}
