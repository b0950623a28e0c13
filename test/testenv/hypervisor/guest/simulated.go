package guest

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/simclient"
)

// Simulated boots guests with a simulated Nomad client, hundreds of them in our own process.
type Simulated struct {
	// Names are what the guest's DNS knows of Nomad servers.
	Names Names
}

// Boot is that of Agent: cloud-init does the same, and the client takes the same configuration.
func (s Simulated) Boot(_ context.Context, m Machine) (Guest, error) {
	starts, err := install(m)
	if err != nil {
		return nil, err
	}
	if !starts {
		return nil, fmt.Errorf("%w: nothing in its user data starts nomad.service", ErrNoClient)
	}
	config, err := readClientConfig(m.root(), configPaths(m.root()))
	if err != nil {
		return nil, err
	}
	options, err := s.options(m, config)
	if err != nil {
		return nil, err
	}
	client, err := simclient.Start(options)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoClient, err)
	}
	return &simulatedGuest{Client: client, done: make(chan struct{})}, nil
}

func (s Simulated) options(m Machine, c *agentConfig) (simclient.Options, error) {
	name := c.Name
	if name == "" {
		var err error
		if name, err = hostname(m.root()); err != nil {
			return simclient.Options{}, err
		}
	}
	o := simclient.Options{
		Servers:    s.Names.resolve(c.Client.serverAddresses()),
		Name:       name,
		Region:     c.Region,
		Datacenter: c.Datacenter,
		NodePool:   c.Client.NodePool,
		NodeClass:  c.Client.NodeClass,
		Meta:       c.Client.Meta,
		CPUMHz:     m.CPUs * mhzPerCPU,
		MemoryMiB:  m.MemoryMiB,
		StateDir:   cloudinit.Inside(m.root(), c.stateDir()),
		StopDelay:  m.StopDelay,
		Report:     reportTo(m.LogFile),
	}
	for _, kv := range environment(m.root()) {
		if token, ok := strings.CutPrefix(kv, "NOMAD_CLIENT_INTRO_TOKEN="); ok {
			o.IntroToken = token
		}
	}
	if c.TLS.RPC {
		var err error
		if o.TLS, err = clientTLS(m.root(), *c.TLS, "server."+c.Region+".nomad"); err != nil {
			return o, fmt.Errorf("%w: %w", ErrNoClient, err)
		}
	}
	return o, nil
}

func clientTLS(root string, c tlsConfig, serverName string) (*tls.Config, error) {
	pem, err := os.ReadFile(cloudinit.Inside(root, c.CAFile))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, errors.New("tls: no certificate in ca_file")
	}
	pair, err := tls.LoadX509KeyPair(cloudinit.Inside(root, c.CertFile), cloudinit.Inside(root, c.KeyFile))
	if err != nil {
		return nil, err
	}
	return &tls.Config{RootCAs: roots, Certificates: []tls.Certificate{pair}, ServerName: serverName,
		MinVersion: tls.VersionTLS12}, nil
}

// reportTo writes the client's luck to the log of the guest. A log that can't be written is no reason to fail.
func reportTo(file string) func(error) {
	return func(err error) {
		f, openErr := os.OpenFile(file, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if openErr != nil {
			return
		}
		defer func() { _ = f.Close() }()
		line := "ready"
		if err != nil {
			line = "not ready: " + err.Error()
		}
		_, _ = fmt.Fprintf(f, "%s simulated client: %s\n", time.Now().Format(time.RFC3339), line)
	}
}

// simulatedGuest has no process: its client is a few goroutines of ours.
type simulatedGuest struct {
	*simclient.Client
	off  sync.Once
	done chan struct{}
}

func (g *simulatedGuest) NodeID() string { return g.ID() }

func (g *simulatedGuest) Pid() int { return 0 }

func (g *simulatedGuest) Done() <-chan struct{} { return g.done }

func (g *simulatedGuest) PowerOff() error {
	err := g.Stop()
	g.off.Do(func() { close(g.done) })
	return err
}
