package client

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	standinrpc "github.com/nomad-harvester/nomad-harvester/test/standin/nomad/rpc"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/wire"
)

var errNoServers = errors.New("No path to region") //nolint:staticcheck // Nomad's words

// Forward passes HTTP on to the servers, through the connection that the client holds to one.
func (c *Client) Forward() http.Handler {
	transport := &http.Transport{
		DisableCompression: true,
		DisableKeepAlives:  true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			c.mu.Lock()
			session := c.session
			c.mu.Unlock()
			if session == nil {
				return nil, errNoServers
			}
			return wire.OpenHTTP(session)
		},
	}
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.Out.URL.Scheme, r.Out.URL.Host = "http", "servers" },
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		},
	}
}

// Resolve asks the servers what the holder of a token may do.
func (c *Client) Resolve(ctx context.Context, secret string) (*acl.ACL, error) {
	c.mu.Lock()
	session := c.session
	c.mu.Unlock()
	if session == nil {
		return nil, errNoServers
	}
	var reply standinrpc.ResolveReply
	if err := wire.Call(ctx, session, "ACL.Resolve", standinrpc.ResolveRequest{Request: c.request(), SecretID: secret},
		&reply); err != nil {
		return nil, err
	}
	if reply.Management {
		return acl.Management, nil
	}
	var policies []*acl.Policy
	for _, rules := range reply.Policies {
		p, err := acl.Parse(rules)
		if err != nil {
			return nil, err
		}
		policies = append(policies, p)
	}
	return acl.New(policies...), nil
}

// Has reports if an allocation is on this node.
func (c *Client) Has(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.allocs[id] != nil
}

// NamespaceOf is that of the allocation which a path names, empty if there is none here.
func (c *Client) NamespaceOf(path string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	for part := range strings.SplitSeq(path, "/") {
		if a := c.allocs[part]; a != nil {
			return a.spec.Load().Namespace
		}
	}
	return ""
}
