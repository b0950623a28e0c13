package acl

import "time"

// Enforcement says who may register a node.
type Enforcement string

// How introductions are enforced (facts/nomad.md §4).
const (
	EnforceNone   Enforcement = "none"
	EnforceWarn   Enforcement = "warn"
	EnforceStrict Enforcement = "strict"
)

// Registration is a node that wants in.
type Registration struct {
	ID, Name, Pool, SecretID string
	// Token is what it shows: an introduction, its own identity, or nothing. Clients before 1.11 show their secret.
	Token string
}

// Admit is nil if the node may register: with no token unless that is enforced, with its own identity always, and
// with an introduction for its name and pool. A token that has expired or is another's is refused in warn mode as
// well; none takes everybody. All is facts/nomad.md §4.
func (k *Keyring) Admit(mode Enforcement, r Registration, now time.Time) error {
	if mode == EnforceNone {
		return nil
	}
	if r.Token == "" || r.Token == r.SecretID {
		if mode == EnforceStrict {
			return ErrPermissionDenied
		}
		return nil
	}
	claims, err := k.Verify(r.Token, now)
	if err != nil || !claims.admits(r) {
		return ErrPermissionDenied
	}
	return nil
}

func (c *Claims) admits(r Registration) bool {
	if c.IsNode() {
		return c.NodeID == r.ID
	}
	pool := r.Pool
	if pool == "" {
		pool = "default"
	}
	return (c.NodeName == "" || c.NodeName == r.Name) && c.NodePool == pool
}
