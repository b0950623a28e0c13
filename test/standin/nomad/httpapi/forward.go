package httpapi

import (
	"net/http"
	"net/http/httputil"
	"net/url"
)

// pass has another server answer. Blocking queries and streams go through as they are.
func (c *call) pass(base string) error {
	target, err := url.Parse(base)
	if err != nil {
		return err
	}
	proxy := &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(target) },
		Transport:     c.api.options.Transport,
		FlushInterval: -1,
		ErrorHandler: func(w http.ResponseWriter, r *http.Request, err error) {
			answer(w, r, nil, fail(http.StatusInternalServerError, "rpc error: failed to get conn: %v", err))
		},
	}
	proxy.ServeHTTP(c.w, c.r)
	return errAnswered
}

// toRegion passes the call on to the region that it is for.
func (c *call) toRegion() error {
	base, known := c.api.server.Regions()[c.q.region]
	if !known {
		return fail(http.StatusInternalServerError, "No path to region")
	}
	return c.pass(base)
}
