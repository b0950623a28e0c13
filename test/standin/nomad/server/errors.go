package server

import (
	"fmt"
	"net/http"
)

// Error is a refusal with the status that the HTTP API gives it.
type Error struct {
	Code    int
	Message string
}

// Error returns Nomad's text.
func (e *Error) Error() string { return e.Message }

// Errorf makes an Error.
func Errorf(code int, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}

// What Nomad says (facts/nomad.md §1, §2). A node that isn't there is a 500 for all that changes it, and a 404 for
// who reads it.
var (
	ErrNodeNotFound = &Error{http.StatusInternalServerError, "node not found"}
	ErrNoLeader     = &Error{http.StatusInternalServerError, "No cluster leader"}
	ErrDraining     = &Error{http.StatusInternalServerError,
		"can not set node's scheduling eligibility to eligible while it is draining"}
	ErrNoNodeConn  = &Error{http.StatusNotFound, "No path to node"}
	ErrJobNotFound = &Error{http.StatusNotFound, "job not found"}
)
