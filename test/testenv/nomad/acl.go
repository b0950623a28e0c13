package nomad

import (
	"context"
	"fmt"
	"time"

	"github.com/hashicorp/nomad/api"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

// bootstrapACL makes the management token. Right after the election the server may refuse for a moment.
func (s *Server) bootstrapACL(ctx context.Context) error {
	return process.WaitFor(ctx, pollInterval, "ACL bootstrap", func(ctx context.Context) error {
		token, _, err := s.Client.ACLTokens().Bootstrap((&api.WriteOptions{}).WithContext(ctx))
		if err != nil {
			return err
		}
		s.Token = token.SecretID
		s.Client.SetSecretID(token.SecretID)
		return s.secret("Nomad's management token", token.SecretID)
	})
}

// TokenWithPolicy makes (or replaces) an ACL policy and returns the secret ID of a new client token with
// that policy alone.
func (s *Server) TokenWithPolicy(name, rules string) (string, error) {
	return s.ExpiringToken(name, rules, 0)
}

// ExpiringToken is TokenWithPolicy for a token that is worth nothing after the given time, at least a second; 0: it
// doesn't expire.
func (s *Server) ExpiringToken(name, rules string, after time.Duration) (string, error) {
	policy := &api.ACLPolicy{Name: name, Rules: rules}
	if _, err := s.Client.ACLPolicies().Upsert(policy, nil); err != nil {
		return "", fmt.Errorf("write nomad policy %s: %w", name, err)
	}
	token, _, err := s.Client.ACLTokens().
		Create(&api.ACLToken{Name: name, Type: "client", Policies: []string{name}, ExpirationTTL: after}, nil)
	if err != nil {
		return "", fmt.Errorf("make nomad token with policy %s: %w", name, err)
	}
	return token.SecretID, s.secret("the Nomad token of policy "+name, token.SecretID)
}

// secret keeps an eye on a token.
func (s *Server) secret(name, token string) error {
	if s.options.Secrets == nil {
		return nil
	}
	return s.options.Secrets.Add(name, token)
}
