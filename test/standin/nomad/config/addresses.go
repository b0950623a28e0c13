package config

import (
	"errors"
	"net"
	"strconv"
	"strings"
)

// errLoopback is how Nomad refuses to tell others an address at which they would find themselves (facts/nomad.md §7).
//
//nolint:staticcheck // Nomad's words
var errLoopback = errors.New("Defaulting advertise to localhost is unsafe, please set advertise manually")

// advertised fills in the addresses that others are told.
func (c *Agent) advertised() error {
	for _, a := range []struct {
		advertise *string
		bind      string
		port      int
	}{
		{&c.Advertise.HTTP, c.bind(c.Addresses.HTTP), c.Ports.HTTP},
		{&c.Advertise.RPC, c.bind(c.Addresses.RPC), c.Ports.RPC},
		{&c.Advertise.Serf, c.bind(c.Addresses.Serf), c.Ports.Serf},
	} {
		if *a.advertise == "" {
			*a.advertise = a.bind
			if ip := net.ParseIP(a.bind); ip != nil && ip.IsUnspecified() {
				*a.advertise = outward()
			} else if ip != nil && ip.IsLoopback() || a.bind == "localhost" {
				return errLoopback
			}
		}
		*a.advertise = withPort(*a.advertise, a.port)
	}
	return nil
}

func (c *Agent) bind(own string) string {
	if own != "" {
		return own
	}
	return c.BindAddr
}

// HTTPBind is host:port of the HTTP API.
func (c *Agent) HTTPBind() string { return withPort(c.bind(c.Addresses.HTTP), c.Ports.HTTP) }

// RPCBind is host:port for clients and servers.
func (c *Agent) RPCBind() string { return withPort(c.bind(c.Addresses.RPC), c.Ports.RPC) }

// SerfBind is host:port for servers that join.
func (c *Agent) SerfBind() string { return withPort(c.bind(c.Addresses.Serf), c.Ports.Serf) }

func withPort(address string, port int) string {
	if host, own, err := net.SplitHostPort(address); err == nil && own != "" {
		return net.JoinHostPort(host, own)
	}
	return net.JoinHostPort(strings.Trim(address, "[]"), strconv.Itoa(port))
}

// outward is the first address of this machine that others can reach, loopback if there is none.
func outward() string {
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		return "127.0.0.1"
	}
	for _, a := range addresses {
		if n, ok := a.(*net.IPNet); ok && n.IP.IsGlobalUnicast() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}

// ServerAddresses are RPC addresses of the servers, with ports.
func (c *Client) ServerAddresses() []string {
	var out []string
	for _, list := range [][]string{c.Servers, c.ServerJoin.RetryJoin, c.ServerJoin.StartJoin} {
		for _, address := range list {
			out = append(out, withPort(address, 4647))
		}
	}
	return out
}
