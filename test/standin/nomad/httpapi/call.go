package httpapi

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
)

// call is one request that is being answered.
type call struct {
	api *API
	w   http.ResponseWriter
	r   *http.Request
	q   query
	// token is who asks, may what they may do. Both are nil for what anybody may ask.
	token *api.ACLToken
	may   *acl.ACL
}

// handler answers a call. The value is sent as JSON; nil sends nothing.
type handler func(*call) (any, error)

// methods are the handlers of one path. PUT and POST are the same to Nomad.
type methods struct {
	get, put, del handler
	// open: no token is looked at.
	open bool
	// local: it is about this agent, whichever leads.
	local bool
}

func (m methods) of(method string) handler {
	switch method {
	case http.MethodGet, http.MethodHead:
		return m.get
	case http.MethodPut, http.MethodPost:
		return m.put
	case http.MethodDelete:
		return m.del
	}
	return nil
}

func (a *API) serve(m methods) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		value, err := a.handle(m, w, r)
		answer(w, r, value, err)
	}
}

func (a *API) handle(m methods, w http.ResponseWriter, r *http.Request) (any, error) {
	do := m.of(r.Method)
	if do == nil {
		return nil, errInvalidMethod
	}
	q, err := parseQuery(r)
	if err != nil {
		return nil, err
	}
	c := &call{api: a, w: w, r: r, q: q}
	if m.local {
		return do(c)
	}
	if q.region != "" && q.region != a.region {
		return nil, c.toRegion()
	}
	if base := a.server.Forward(); base != "" {
		return nil, c.pass(base)
	}
	if !m.open {
		if err := c.resolve(); err != nil {
			return nil, err
		}
	}
	return do(c)
}

// resolve finds out who asks. Without ACLs everybody may do everything.
func (c *call) resolve() (err error) {
	if !c.api.options.ACL {
		c.may = acl.Management
		return nil
	}
	snapshot := c.api.server.Store().Read()
	if c.token, err = acl.TokenOf(snapshot, secretOf(c.r), c.api.now()); err != nil {
		if strings.HasPrefix(c.r.URL.Path, "/v1/acl/") {
			return err
		}
		return acl.ErrPermissionDenied // nobody else says why
	}
	c.may, err = acl.Of(snapshot, c.token)
	return err
}

// secretOf takes the token from Nomad's own header, or from the usual one.
func secretOf(r *http.Request) string {
	if secret := r.Header.Get("X-Nomad-Token"); secret != "" {
		return strings.TrimSpace(secret)
	}
	bearer, found := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !found {
		return ""
	}
	return strings.TrimSpace(bearer)
}

// need refuses the call unless it is allowed.
func need(allowed bool) error {
	if !allowed {
		return acl.ErrPermissionDenied
	}
	return nil
}

// id is the part of the path that names the object.
func (c *call) id() string { return c.r.PathValue("id") }

func (c *call) setIndex(index uint64) {
	c.w.Header().Set("X-Nomad-Index", strconv.FormatUint(index, 10))
}

// setMeta writes what every read tells of how fresh it is.
func (c *call) setMeta(index uint64) {
	c.setIndex(index)
	c.w.Header().Set("X-Nomad-KnownLeader", strconv.FormatBool(c.api.server.Writable() == nil))
	c.w.Header().Set("X-Nomad-LastContact", "0")
}
