package nomad

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/nomad/api"
)

// ErrLoginRefused says that there is no token, because a login to the auth method has failed and a person must mend it.
// It is ErrForbidden as well.
var ErrLoginRefused = errors.New("login refused")

// loginRefused is an ErrLoginRefused with its cause, which holds no secret.
type loginRefused struct{ cause string }

func (e loginRefused) Error() string { return ErrLoginRefused.Error() + ": " + e.cause }

// Is is for errors.Is.
func (e loginRefused) Is(target error) bool {
	return target == ErrLoginRefused || target == ErrForbidden
}

// Bounds on how long the token of a login is taken to live, whatever the server says. The lower one is the least that
// servers allow by default, the upper one the most (Nomad: acl.token_min_expiration_ttl, token_max_expiration_ttl).
const (
	minLife = time.Minute
	maxLife = 24 * time.Hour
)

// granted is what a login gives.
type granted struct {
	secret string
	// life is how long the token lives from now on.
	life time.Duration
}

// logIn exchanges the JWT in a file for a token. The file is read each time, because kubelet writes a new JWT into it
// long before the old one expires.
func (r *remote) logIn(ctx context.Context, method, file string) (granted, error) {
	jwt, err := readJWT(file)
	if err != nil {
		return granted{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	var token *api.ACLToken
	err = Classify("log in to auth method "+method, catchPanic(func() (err error) {
		token, _, err = r.api.ACLAuth().Login(&api.ACLLoginRequest{AuthMethodName: method, LoginToken: jwt},
			(&api.WriteOptions{}).WithContext(ctx))
		if err == nil && (token == nil || token.SecretID == "" || len(token.SecretID) > maxToken) {
			return errNoResponse
		}
		return err
	}))
	switch {
	case err == nil:
		return granted{secret: token.SecretID, life: lifeOf(token)}, nil
	case errors.Is(err, ErrUnreachable), errors.Is(err, context.Canceled):
		return granted{}, err
	}
	// A server might quote the JWT that it refuses.
	return granted{}, loginRefused{strings.ReplaceAll(Cause(err), jwt, "(the JWT)")}
}

// lifeOf goes by the server's clock alone. A server that gives no expiry is asked again after the shortest time.
func lifeOf(token *api.ACLToken) time.Duration {
	if token.ExpirationTime == nil {
		return minLife
	}
	return min(max(token.ExpirationTime.Sub(token.CreateTime), minLife), maxLife)
}

func readJWT(file string) (string, error) {
	text, err := readBounded(file)
	jwt := strings.TrimSpace(string(text))
	var path *fs.PathError
	switch {
	case errors.As(err, &path):
		return "", loginRefused{fmt.Sprintf("the file %s with the ServiceAccount's token can't be read: %v", file, path.Err)}
	case err != nil, jwt == "", len(text) > maxToken, strings.ContainsFunc(jwt, notInJWT):
		return "", loginRefused{fmt.Sprintf("the file %s doesn't hold a ServiceAccount's token and nothing else", file)}
	}
	return jwt, nil
}

func notInJWT(r rune) bool { return r <= ' ' || r >= 0x7f }

func readBounded(file string) (_ []byte, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxToken+1))
}
