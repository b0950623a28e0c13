package httpapi

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/acl"
	"github.com/nomad-harvester/nomad-harvester/test/standin/nomad/server"
)

// failure is an answer that says what is wrong, as plain text with a status.
type failure struct {
	code int
	text string
}

func (f *failure) Error() string { return f.text }

func fail(code int, format string, args ...any) error {
	return &failure{code, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return fail(http.StatusBadRequest, format, args...)
}

func notFound(what string) error { return fail(http.StatusNotFound, "%s not found", what) }

var errInvalidMethod = &failure{http.StatusMethodNotAllowed, "Invalid method"}

// statusOf is how Nomad tells an error: its own code if it has one, 403 for a refusal, and 500 for all else
// (facts/nomad.md §1).
func statusOf(err error) (int, string) {
	var (
		own    *failure
		denied *acl.Error
		coded  *server.Error
	)
	switch text := err.Error(); {
	case errors.As(err, &own):
		return own.code, own.text
	case errors.As(err, &denied):
		return denied.Code, denied.Message
	case errors.As(err, &coded) && coded.Code != 0:
		return coded.Code, coded.Message
	case strings.HasSuffix(text, acl.ErrPermissionDenied.Message):
		return http.StatusForbidden, acl.ErrPermissionDenied.Message
	default:
		return http.StatusInternalServerError, text
	}
}
