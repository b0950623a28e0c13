package acl

import (
	"net/http"
	"regexp"
	"time"

	"github.com/hashicorp/nomad/api"
)

// Types of tokens.
const (
	TypeClient     = "client"
	TypeManagement = "management"
)

// Error is a refusal as the HTTP API tells it.
type Error struct {
	// Code is the HTTP status.
	Code int
	// Message is Nomad's text.
	Message string
}

// Error returns Nomad's text.
func (e *Error) Error() string { return e.Message }

// What Nomad says to whom it doesn't know or doesn't let (facts/nomad.md §1, §4).
var (
	ErrPermissionDenied = &Error{http.StatusForbidden, "Permission denied"}
	ErrTokenNotFound    = &Error{http.StatusForbidden, "ACL token not found"}
	// ErrTokenExpired is a 500, because Nomad's HTTP layer knows no code for it.
	ErrTokenExpired = &Error{http.StatusInternalServerError, "ACL token expired"}
	// ErrNoToken: what isn't shaped like a secret ID is taken for a JWT, and is none.
	ErrNoToken  = &Error{http.StatusInternalServerError, "go-jose/go-jose: compact JWS format must have three parts"}
	ErrDisabled = &Error{http.StatusBadRequest, "ACL support disabled"}
)

// AnonymousToken is who acts without a secret; the policy of that name, if somebody writes one, is what it may do.
func AnonymousToken() *api.ACLToken {
	return &api.ACLToken{AccessorID: "anonymous", Name: "Anonymous Token", Type: TypeClient,
		Policies: []string{"anonymous"}}
}

// Source is where tokens, roles and policies are kept. What isn't there is nil.
type Source interface {
	ACLTokenBySecret(secret string) *api.ACLToken
	ACLRoleByID(id string) *api.ACLRole
	ACLPolicyByName(name string) *api.ACLPolicy
}

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// TokenOf finds out who a secret stands for. Without one it is the anonymous token.
func TokenOf(source Source, secret string, now time.Time) (*api.ACLToken, error) {
	if secret == "" {
		return AnonymousToken(), nil
	}
	if !uuidPattern.MatchString(secret) {
		return nil, ErrNoToken
	}
	token := source.ACLTokenBySecret(secret)
	if token == nil {
		return nil, ErrTokenNotFound
	}
	if Expired(token, now) {
		return nil, ErrTokenExpired
	}
	return token, nil
}

// Expired reports if the token is worth nothing any more.
func Expired(token *api.ACLToken, now time.Time) bool {
	return token.ExpirationTime != nil && !token.ExpirationTime.IsZero() && token.ExpirationTime.Before(now)
}

// Of is what the holder of the token may do. Policies and roles that don't exist grant nothing.
func Of(source Source, token *api.ACLToken) (*ACL, error) {
	if token.Type == TypeManagement {
		return Management, nil
	}
	var policies []*Policy
	for _, name := range PolicyNames(source, token) {
		stored := source.ACLPolicyByName(name)
		if stored == nil {
			continue
		}
		policy, err := Parse(stored.Rules)
		if err != nil {
			return nil, err
		}
		policies = append(policies, policy)
	}
	return New(policies...), nil
}

// PolicyNames are the policies that the token has, those through roles included, each once.
func PolicyNames(source Source, token *api.ACLToken) []string {
	var names []string
	seen := map[string]bool{}
	add := func(name string) {
		if !seen[name] {
			seen[name] = true
			names = append(names, name)
		}
	}
	for _, name := range token.Policies {
		add(name)
	}
	for _, link := range token.Roles {
		role := source.ACLRoleByID(link.ID)
		if role == nil {
			continue
		}
		for _, policy := range role.Policies {
			add(policy.Name)
		}
	}
	return names
}
