package httpapi

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httputil"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/state"
)

// clientRoutes are what a node's client answers, through the connection that it holds to the servers. It asks for no
// token there, because the server has looked at it. Nomad has an RPC for each of these requests; what the caller sees
// is the same.
var clientRoutes = map[string]methods{
	"/v1/client/fs/ls/{id}":                {get: onAllocation(acl.ReadFS)},
	"/v1/client/fs/stat/{id}":              {get: onAllocation(acl.ReadFS)},
	"/v1/client/fs/cat/{id}":               {get: asFile(onAllocation(acl.ReadFS))},
	"/v1/client/fs/readat/{id}":            {get: asFile(onAllocation(acl.ReadFS))},
	"/v1/client/fs/stream/{id}":            {get: withoutStatus(onAllocation(acl.ReadFS))},
	"/v1/client/fs/logs/{id}":              {get: withoutStatus(onAllocation(acl.ReadLogs, acl.ReadFS))},
	"/v1/client/allocation/{id}/stats":     {get: onAllocation(acl.ReadJob)},
	"/v1/client/allocation/{id}/checks":    {get: onAllocation(acl.ReadJob)},
	"/v1/client/allocation/{id}/exec":      {get: onAllocation(acl.AllocExec)},
	"/v1/client/allocation/{id}/restart":   {put: onAllocation(acl.AllocLifecycle)},
	"/v1/client/allocation/{id}/signal":    {put: onAllocation(acl.AllocLifecycle)},
	"/v1/client/allocation/{id}/gc":        {get: onAllocation(acl.SubmitJob)},
	"/v1/client/allocation/{id}/snapshot":  {get: onAllocation(acl.ReadFS)},
	"/v1/client/stats":                     {get: onNode(false)},
	"/v1/client/gc":                        {get: onNode(true)},
	"/v1/client/metadata":                  {get: onNode(false), put: onNode(true)},
	"/v1/client/identity":                  {get: onNode(false)},
	"/v1/client/identity/renew":            {put: onNode(true)},
	"/v1/client/allocation/{id}/pause":     {put: onAllocation(acl.SubmitJob), get: onAllocation(acl.ReadJob)},
	"/v1/client/allocation/{id}/terminate": {put: onAllocation(acl.AllocLifecycle)},
}

// onAllocation has the client of the allocation answer, if the token has any of the capabilities.
func onAllocation(capabilities ...string) handler {
	return func(c *call) (any, error) {
		a := state.Allocs.Get(c.api.server.Store().Read(), c.id())
		if a == nil {
			return nil, fail(http.StatusNotFound, "Unknown allocation %q", c.id())
		}
		for _, capability := range capabilities {
			if c.may.AllowNamespaceOp(a.Namespace, capability) {
				return nil, c.toClient(a.NodeID)
			}
		}
		return nil, acl.ErrPermissionDenied
	}
}

// asFile says with 200, as if it were the file, whatever is wrong: Nomad has begun its answer when it looks (seen of
// 1.11.3).
func asFile(do handler) handler {
	return func(c *call) (any, error) {
		value, err := do(c)
		if err != nil && !errors.Is(err, errAnswered) {
			_, text := statusOf(err)
			err = fail(http.StatusOK, "%s", text)
		}
		return value, err
	}
}

// withoutStatus has the servers refuse what is sent in pieces with a 500 (seen of 1.11.3); the node's own agent says
// 403.
func withoutStatus(do handler) handler {
	return func(c *call) (any, error) {
		value, err := do(c)
		if errors.Is(err, acl.ErrPermissionDenied) {
			err = fail(http.StatusInternalServerError, "%s", acl.ErrPermissionDenied.Message)
		}
		return value, err
	}
}

// onNode has the client of a node answer that the request names.
func onNode(writes bool) handler {
	return func(c *call) (any, error) {
		if err := need(c.may.AllowNodeWrite() || !writes && c.may.AllowNodeRead()); err != nil {
			return nil, err
		}
		id := c.q.values.Get("node_id")
		if id == "" {
			var err error
			if id, err = c.nodeOfBody(); err != nil {
				return nil, err
			}
		}
		if id == "" {
			return nil, badRequest("missing node_id")
		}
		if state.Nodes.Get(c.api.server.Store().Read(), id) == nil {
			return nil, fail(http.StatusNotFound, "Unknown node %q", id)
		}
		return nil, c.toClient(id)
	}
}

// nodeOfBody reads the body for the node that it names, and leaves the body to be read once more.
func (c *call) nodeOfBody() (string, error) {
	body, err := io.ReadAll(c.r.Body)
	if err != nil {
		return "", badRequest("%v", err)
	}
	c.r.Body = io.NopCloser(bytes.NewReader(body))
	if len(body) == 0 {
		return "", nil
	}
	var in struct{ NodeID string }
	if err := json.Unmarshal(body, &in); err != nil {
		return "", badRequest("%v", err)
	}
	return in.NodeID, nil
}

// toClient passes the call on through the connection that the node's client holds to the servers: a guest need not be
// reachable.
func (c *call) toClient(nodeID string) error {
	stream, err := c.api.server.ClientStream(nodeID, "HTTP")
	if err != nil {
		return err
	}
	transport := &http.Transport{
		DialContext:        func(context.Context, string, string) (net.Conn, error) { return stream, nil },
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	defer transport.CloseIdleConnections()
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.Out.URL.Scheme, r.Out.URL.Host = "http", "client"
		},
		Transport:     transport,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			answer(w, r, nil, fail(http.StatusInternalServerError, "%v", err))
		},
	}
	proxy.ServeHTTP(c.w, c.r)
	return errAnswered
}
