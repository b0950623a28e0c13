package nomad

import (
	"context"
	"errors"

	"github.com/go-logr/logr"
	"k8s.io/utils/clock"
)

// logsIn has each request use a token from a login, if the connection names an auth method.
func (r *remote) logsIn(conn Connection, clock clock.PassiveClock, log logr.Logger) {
	if method, file := conn.AuthMethod, conn.JWTFile; method != "" {
		r.session = newSession(
			func(ctx context.Context) (granted, error) { return r.logIn(ctx, method, file) }, clock, log)
	}
}

// token is what a request has to be sent with, if not that of the connection.
func (r *remote) token(ctx context.Context) (string, error) {
	if r.session == nil {
		return "", nil
	}
	secret, _, err := r.session.token(ctx)
	return secret, err
}

// login is the number of the login whose token is used; 0: none.
func (r *remote) login(ctx context.Context) int {
	if r.session == nil {
		return 0
	}
	_, number, _ := r.session.token(ctx) // each request reports the error
	return number
}

// doubt has the next request log in again, if it's a login that gives the token.
func (r *remote) doubt() {
	if r.session != nil {
		r.session.doubt()
	}
}

// noteRefusal has the next request log in again if the error may come of the token.
func (r *remote) noteRefusal(err error) error {
	if errors.Is(err, ErrForbidden) {
		r.doubt()
	}
	return err
}
