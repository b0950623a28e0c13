package acl

import (
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// identityAudience is whom the identities of nodes are for.
const identityAudience = "nomadproject.io"

// Claims are what the identity of a node or the introduction of one says.
type Claims struct {
	jwt.RegisteredClaims
	// NodeName is the only name that the introduced node may have; empty: any.
	NodeName string `json:"nomad_node_name,omitempty"`
	// NodePool is the node pool, of the introduction as of the identity.
	NodePool string `json:"nomad_node_pool,omitempty"`
	// NodeID, NodeClass and NodeDatacenter are set in the identity of a node alone.
	NodeID         string `json:"nomad_node_id,omitempty"`
	NodeClass      string `json:"nomad_node_class,omitempty"`
	NodeDatacenter string `json:"nomad_node_datacenter,omitempty"`
}

// IsNode reports if the claims are the identity of a node that has registered.
func (c *Claims) IsNode() bool { return c.NodeID != "" }

// Introduction limits how long introduction tokens are good.
type Introduction struct {
	// DefaultTTL is that of tokens that ask for none, MaxTTL the longest.
	DefaultTTL, MaxTTL time.Duration
}

// TTL is what a token gets that asks for so much; one above the maximum is cut without a word (facts/nomad.md §4).
func (i Introduction) TTL(asked time.Duration) time.Duration {
	if asked <= 0 {
		asked = i.DefaultTTL
	}
	return min(asked, i.MaxTTL)
}

// Introduce signs an introduction token. It isn't bound to a node ID, and serves as often as it is used
// (facts/nomad.md §4).
func (k *Keyring) Introduce(region, name, pool string, now time.Time, ttl time.Duration) (string, error) {
	if pool == "" {
		pool = "default"
	}
	subject := fmt.Sprintf("node-introduction:%s:%s:%s:default", region, pool, name)
	return k.sign(Claims{RegisteredClaims: registered(subject, now, ttl), NodeName: name, NodePool: pool})
}

// Node is of whom an identity speaks.
type Node struct{ ID, Pool, Class, Datacenter string }

// Identify signs the identity of a node that has registered.
func (k *Keyring) Identify(region string, node Node, now time.Time, ttl time.Duration) (string, error) {
	subject := fmt.Sprintf("node:%s:%s:%s:default", region, node.Pool, node.ID)
	return k.sign(Claims{
		RegisteredClaims: registered(subject, now, ttl),
		NodeID:           node.ID, NodePool: node.Pool, NodeClass: node.Class, NodeDatacenter: node.Datacenter,
	})
}

func registered(subject string, now time.Time, ttl time.Duration) jwt.RegisteredClaims {
	return jwt.RegisteredClaims{
		Subject: subject, Audience: jwt.ClaimStrings{identityAudience}, ID: uuid.NewString(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(ttl)),
	}
}

// identityLeeway is for clocks that differ (facts/nomad.md §4).
const identityLeeway = 60 * time.Second

// Verify reads an identity or introduction token that this keyring signed and that hasn't expired.
func (k *Keyring) Verify(token string, now time.Time) (*Claims, error) {
	claims := &Claims{}
	_, err := jwt.ParseWithClaims(token, claims, k.verificationKey,
		jwt.WithValidMethods([]string{jwt.SigningMethodEdDSA.Alg()}),
		jwt.WithAudience(identityAudience), jwt.WithExpirationRequired(), jwt.WithLeeway(identityLeeway),
		jwt.WithTimeFunc(func() time.Time { return now }))
	if err != nil {
		return nil, fmt.Errorf("invalid identity: %w", err)
	}
	return claims, nil
}
