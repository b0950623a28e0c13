package httpapi

import (
	"net/http"
	"strings"
	"time"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

// Options say how the API is served.
type Options struct {
	// ACL turns permissions on.
	ACL bool
	// Region is that of the server.
	Region string
	// Transport is used towards other servers; nil: http.DefaultTransport.
	Transport http.RoundTripper
	// Agent is the configuration of the agent as /v1/agent/self shows it.
	Agent map[string]any
}

// API answers the HTTP requests of one server.
type API struct {
	server  *server.Server
	options Options
	region  string
	mux     *http.ServeMux
	// pools has the paths of node pools, which look like those of nodes to the other one.
	pools *http.ServeMux
	now   func() time.Time
}

// New makes the API of a server.
func New(s *server.Server, o Options) *API {
	config := s.Config()
	if o.Region == "" {
		o.Region = config.Region
	}
	o.ACL = o.ACL || config.ACLEnabled
	if o.Transport == nil {
		o.Transport = http.DefaultTransport
	}
	a := &API{server: s, options: o, region: o.Region, mux: http.NewServeMux(), pools: http.NewServeMux(), now: time.Now}
	for _, routes := range []map[string]methods{
		nodeRoutes, allocationRoutes, jobRoutes, evaluationRoutes, scalingRoutes, namespaceRoutes,
		aclRoutes, authRoutes, agentRoutes, operatorRoutes, clientRoutes, streamRoutes, searchRoutes,
		variableRoutes,
	} {
		for path, m := range routes {
			a.mux.HandleFunc(path, a.serve(m))
		}
	}
	for path, m := range poolRoutes {
		a.pools.HandleFunc(path, a.serve(m))
	}
	return a
}

// ServeHTTP answers one request. A server that isn't the one with the state passes it on.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/v1/node/pool") {
		a.pools.ServeHTTP(w, r)
		return
	}
	a.mux.ServeHTTP(w, r)
}
