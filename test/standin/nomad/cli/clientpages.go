package cli

import (
	"net/http"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/client"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

// clientPages is the HTTP API of an agent with a client: what is on this node it answers itself, and all else the
// servers. It looks at tokens only if its own configuration enables ACLs, whatever the servers do: an agent without
// lets everybody read every file.
func (a *running) clientPages(servers http.Handler) http.Handler {
	own, forward := a.client.Handler(), a.client.Forward()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/v1/agent/health" && servers == nil:
			w.Header().Set("Content-Type", "application/json")
			_, _ = w.Write([]byte(`{"client":{"ok":true,"message":"ok"}}`))
		case path == "/v1/agent/self" && servers == nil:
			a.self(w, r)
		case strings.HasPrefix(path, "/v1/client/") && a.here(r):
			if err := a.mayClient(r); err != nil {
				refuse(w, path, err)
				return
			}
			own.ServeHTTP(w, r)
		case servers != nil:
			servers.ServeHTTP(w, r)
		default:
			forward.ServeHTTP(w, r)
		}
	})
}

func (a *running) self(w http.ResponseWriter, r *http.Request) {
	may, err := a.resolve(r)
	if err == nil && !may.AllowAgentRead() {
		err = acl.ErrPermissionDenied
	}
	if err != nil {
		refuse(w, r.URL.Path, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(
		[]byte(
			`{"config":{"Version":{"Version":"` + server.Version + `"},"Region":"` + a.config.Region +
				`"},"member":{},"stats":{"client":{"node_id":"` + a.client.NodeID() + `"}}}`,
		),
	)
}

// here reports if a request is about this node, and not about an allocation or node elsewhere.
func (a *running) here(r *http.Request) bool {
	parts := strings.Split(r.URL.Path, "/")
	if node := r.URL.Query().Get("node_id"); node != "" {
		return node == a.client.NodeID()
	}
	for _, part := range parts {
		if a.client.Has(part) {
			return true
		}
	}
	return len(parts) == 4 // /v1/client/metadata and the like
}

// mayClient is nil if the request's token may do what it asks for.
func (a *running) mayClient(r *http.Request) error {
	if strings.HasSuffix(r.URL.Path, "/snapshot") && a.config.ACL.Enabled {
		if !a.client.MayFetch(r) {
			return acl.ErrPermissionDenied
		}
		return nil
	}
	may, err := a.resolve(r)
	if err != nil {
		return err
	}
	namespace := a.client.NamespaceOf(r.URL.Path)
	var allowed bool
	switch path := r.URL.Path; {
	case strings.HasPrefix(path, "/v1/client/fs/logs/"):
		allowed = may.AllowNamespaceOp(namespace, acl.ReadLogs) || may.AllowNamespaceOp(namespace, acl.ReadFS)
	case strings.HasPrefix(path, "/v1/client/fs/"):
		allowed = may.AllowNamespaceOp(namespace, acl.ReadFS)
	case strings.HasSuffix(path, "/exec"):
		allowed = may.AllowNamespaceOp(namespace, acl.AllocExec)
	case strings.HasPrefix(path, "/v1/client/allocation/"):
		allowed = may.AllowNamespaceOp(namespace, acl.AllocLifecycle)
	case r.Method == http.MethodGet:
		allowed = may.AllowNodeRead()
	default:
		allowed = may.AllowNodeWrite()
	}
	if !allowed {
		return acl.ErrPermissionDenied
	}
	return nil
}

func (a *running) resolve(r *http.Request) (*acl.ACL, error) {
	if !a.config.ACL.Enabled {
		return acl.Management, nil
	}
	secret := r.Header.Get("X-Nomad-Token")
	if secret == "" {
		secret, _ = strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	}
	return a.client.Resolve(r.Context(), secret)
}

func refuse(w http.ResponseWriter, path string, err error) {
	code := http.StatusInternalServerError
	if client.ReadsFile(path) {
		code = http.StatusOK
	} else if strings.HasSuffix(err.Error(), acl.ErrPermissionDenied.Message) ||
		strings.HasSuffix(err.Error(), acl.ErrTokenNotFound.Message) {
		code = http.StatusForbidden
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(code)
	_, _ = w.Write([]byte(err.Error()))
}
