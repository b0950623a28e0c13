package guest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/config"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
)

// agentConfig is what must be known of the agent's configuration to adapt or to simulate it. The parser is
// HCL 1, which Nomad uses for its own configuration: a file that Nomad reads is read here.
type agentConfig struct {
	Name       string        `hcl:"name"`
	Region     string        `hcl:"region"`
	Datacenter string        `hcl:"datacenter"`
	DataDir    string        `hcl:"data_dir"`
	PluginDir  string        `hcl:"plugin_dir"`
	LogFile    string        `hcl:"log_file"`
	Client     *clientConfig `hcl:"client"`
	Server     *serverConfig `hcl:"server"`
	TLS        *tlsConfig    `hcl:"tls"`
}

type clientConfig struct {
	Enabled        bool              `hcl:"enabled"`
	StateDir       string            `hcl:"state_dir"`
	AllocDir       string            `hcl:"alloc_dir"`
	AllocMountsDir string            `hcl:"alloc_mounts_dir"`
	NodePool       string            `hcl:"node_pool"`
	NodeClass      string            `hcl:"node_class"`
	Servers        []string          `hcl:"servers"`
	ServerJoin     *serverJoin       `hcl:"server_join"`
	Meta           map[string]string `hcl:"meta"`
	Options        map[string]string `hcl:"options"`
}

type serverJoin struct {
	RetryJoin []string `hcl:"retry_join"`
	StartJoin []string `hcl:"start_join"`
}

type serverConfig struct {
	Enabled bool `hcl:"enabled"`
}

type tlsConfig struct {
	RPC      bool   `hcl:"rpc"`
	CAFile   string `hcl:"ca_file"`
	CertFile string `hcl:"cert_file"`
	KeyFile  string `hcl:"key_file"`
}

// readAgentConfig merges the files as the agent would: those of a directory by name, later ones win.
func readAgentConfig(root string, paths []string) (*agentConfig, error) {
	merged := &agentConfig{Client: &clientConfig{}, Server: &serverConfig{}, TLS: &tlsConfig{}}
	for _, path := range paths {
		files, err := config.Files(cloudinit.Inside(root, path))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			var c agentConfig
			if err := hcl.Decode(&c, string(b)); err != nil {
				return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(file, root), err)
			}
			merged.merge(c)
		}
	}
	if merged.Region == "" {
		merged.Region = "global"
	}
	return merged, nil
}

func (c *agentConfig) merge(o agentConfig) {
	override(&c.Name, o.Name)
	override(&c.Region, o.Region)
	override(&c.Datacenter, o.Datacenter)
	override(&c.DataDir, o.DataDir)
	override(&c.PluginDir, o.PluginDir)
	override(&c.LogFile, o.LogFile)
	if o.Client != nil {
		c.Client.merge(*o.Client)
	}
	if o.Server != nil {
		c.Server.Enabled = c.Server.Enabled || o.Server.Enabled
	}
	if o.TLS != nil {
		c.TLS.RPC = c.TLS.RPC || o.TLS.RPC
		override(&c.TLS.CAFile, o.TLS.CAFile)
		override(&c.TLS.CertFile, o.TLS.CertFile)
		override(&c.TLS.KeyFile, o.TLS.KeyFile)
	}
}

func (c *clientConfig) merge(o clientConfig) {
	c.Enabled = c.Enabled || o.Enabled
	override(&c.StateDir, o.StateDir)
	override(&c.AllocDir, o.AllocDir)
	override(&c.AllocMountsDir, o.AllocMountsDir)
	override(&c.NodePool, o.NodePool)
	override(&c.NodeClass, o.NodeClass)
	c.Servers = append(c.Servers, o.Servers...)
	if o.ServerJoin != nil {
		c.ServerJoin = o.ServerJoin
	}
	c.Meta = mergeMaps(c.Meta, o.Meta)
	c.Options = mergeMaps(c.Options, o.Options)
}

// serverAddresses are the RPC addresses the client is told to join.
func (c *clientConfig) serverAddresses() []string {
	addresses := slices.Clone(c.Servers)
	if c.ServerJoin != nil {
		addresses = slices.Concat(addresses, c.ServerJoin.RetryJoin, c.ServerJoin.StartJoin)
	}
	return addresses
}

// stateDir is where the guest sees the client's state, with client-id and intro_token.jwt in it.
func (c *agentConfig) stateDir() string {
	if c.Client.StateDir != "" {
		return c.Client.StateDir
	}
	return filepath.Join(c.DataDir, "client")
}

func override(to *string, from string) {
	if from != "" {
		*to = from
	}
}

func mergeMaps(a, b map[string]string) map[string]string {
	if len(b) == 0 {
		return a
	}
	merged := maps.Clone(a)
	if merged == nil {
		merged = map[string]string{}
	}
	maps.Copy(merged, b)
	return merged
}
