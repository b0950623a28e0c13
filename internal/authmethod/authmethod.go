// Package authmethod makes the configuration of the auth method of Nomad's that takes the tokens of this Kubernetes
// cluster's ServiceAccounts.
//
// Real or pure: it is given what the API server publishes, and reads nothing itself. May not enter: clients.
package authmethod

import (
	"cmp"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// config is the part of Nomad's ACLAuthMethodConfig that is given. Nomad's own type would write all of it.
type config struct {
	JWTValidationPubKeys        []string
	BoundIssuer, BoundAudiences []string
	SigningAlgs                 []string
	ClaimMappings               map[string]string
}

// Config is the configuration in JSON, as `nomad acl auth-method create -config` reads it. discovery and keys are what
// the API server gives at /.well-known/openid-configuration and /openid/v1/jwks. The keys are written into it, so that
// Nomad need not reach the API server.
func Config(discovery, keys []byte, audience string) ([]byte, error) {
	var issued struct{ Issuer string }
	if err := json.Unmarshal(discovery, &issued); err != nil || issued.Issuer == "" {
		return nil, fmt.Errorf("the API server doesn't say who issues its ServiceAccounts' tokens: %w",
			cmp.Or(err, errors.New("no issuer")))
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(keys, &set); err != nil || len(set.Keys) == 0 {
		return nil, fmt.Errorf("the API server gives no keys of its ServiceAccounts' tokens: %w",
			cmp.Or(err, errors.New("none in the answer")))
	}
	c := config{BoundIssuer: []string{issued.Issuer}, BoundAudiences: []string{audience},
		ClaimMappings: map[string]string{"sub": "sub"}}
	for _, key := range set.Keys {
		algorithm := cmp.Or(key.Algorithm, algorithmOf(key.Key))
		der, err := x509.MarshalPKIXPublicKey(key.Key)
		if err != nil || algorithm == "" || !key.IsPublic() {
			return nil, fmt.Errorf("key %q of the API server, a %T, is none that Nomad takes", key.KeyID, key.Key)
		}
		c.JWTValidationPubKeys = append(c.JWTValidationPubKeys,
			string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
		if !slices.Contains(c.SigningAlgs, algorithm) {
			c.SigningAlgs = append(c.SigningAlgs, algorithm)
		}
	}
	return json.MarshalIndent(c, "", "  ")
}

// algorithmOf is what Kubernetes signs with by a key (k8s.io/kubernetes: pkg/serviceaccount/jwt.go).
func algorithmOf(key any) string {
	switch key := key.(type) {
	case *rsa.PublicKey:
		return string(jose.RS256)
	case *ecdsa.PublicKey:
		return map[int]string{256: string(jose.ES256), 384: string(jose.ES384), 521: string(jose.ES512)}[key.Params().BitSize]
	}
	return ""
}
