package acl

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/hashicorp/nomad/api"
)

// fetchTimeout is for a key server that doesn't answer.
const fetchTimeout = 10 * time.Second

// keySet are public keys by their IDs; those from PEM have none.
type keySet struct {
	byID    map[string]any
	unnamed []any
}

// choose gives the key that the token names, else all there are.
func (s keySet) choose(token *jwt.Token) (any, error) {
	if id, ok := token.Header["kid"].(string); ok && s.byID[id] != nil {
		return s.byID[id], nil
	}
	var all []jwt.VerificationKey
	for _, key := range s.unnamed {
		all = append(all, key)
	}
	for _, key := range s.byID {
		all = append(all, key)
	}
	if len(all) == 0 {
		return nil, errors.New("no known key successfully validated the token signature")
	}
	return jwt.VerificationKeySet{Keys: all}, nil
}

func keysOf(ctx context.Context, config *api.ACLAuthMethodConfig) (keySet, error) {
	set := keySet{byID: map[string]any{}}
	for _, text := range config.JWTValidationPubKeys {
		block, _ := pem.Decode([]byte(text))
		if block == nil {
			return set, errors.New("JWTValidationPubKeys: no key in PEM")
		}
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return set, fmt.Errorf("JWTValidationPubKeys: %w", err)
		}
		set.unnamed = append(set.unnamed, key)
	}
	switch {
	case config.JWKSURL != "":
		return set, set.fetch(ctx, config.JWKSURL, config.JWKSCACert)
	case config.OIDCDiscoveryURL != "":
		authorities := strings.Join(config.DiscoveryCaPem, "\n")
		var discovered struct {
			JWKSURI string `json:"jwks_uri"`
		}
		url := strings.TrimSuffix(config.OIDCDiscoveryURL, "/") + "/.well-known/openid-configuration"
		if err := fetchJSON(ctx, url, authorities, &discovered); err != nil {
			return set, err
		}
		return set, set.fetch(ctx, discovered.JWKSURI, authorities)
	}
	return set, nil
}

func (s keySet) fetch(ctx context.Context, url, authorities string) error {
	var keys struct{ Keys []JWK }
	if err := fetchJSON(ctx, url, authorities, &keys); err != nil {
		return err
	}
	for _, k := range keys.Keys {
		public, err := k.public()
		if err != nil {
			return fmt.Errorf("key %q of %s: %w", k.KeyID, url, err)
		}
		s.byID[k.KeyID] = public
	}
	return nil
}

func fetchJSON(ctx context.Context, url, authorities string, into any) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	transport := &http.Transport{DisableKeepAlives: true}
	if authorities != "" {
		pool := x509.NewCertPool()
		if !pool.AppendCertsFromPEM([]byte(authorities)) {
			return errors.New("could not parse CA PEM value successfully")
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12}
	}
	answer, err := (&http.Client{Transport: transport}).Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, answer.Status)
	}
	return json.NewDecoder(answer.Body).Decode(into)
}

// public is the key as crypto has it.
func (k JWK) public() (any, error) {
	number := func(s string) *big.Int {
		b, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(s, "="))
		if err != nil {
			return new(big.Int)
		}
		return new(big.Int).SetBytes(b)
	}
	switch k.Type {
	case "RSA":
		return &rsa.PublicKey{N: number(k.N), E: int(number(k.E).Int64())}, nil
	case "EC":
		curve, ok := map[string]elliptic.Curve{"P-256": elliptic.P256(), "P-384": elliptic.P384(),
			"P-521": elliptic.P521()}[k.Curve]
		if !ok {
			return nil, fmt.Errorf("unknown curve %q", k.Curve)
		}
		size := (curve.Params().BitSize + 7) / 8
		x, y := number(k.X), number(k.Y)
		if x.BitLen() > size*8 || y.BitLen() > size*8 {
			return nil, errors.New("the point is too long for its curve")
		}
		point := make([]byte, 1+2*size)
		point[0] = 4 // both coordinates follow
		x.FillBytes(point[1 : 1+size])
		y.FillBytes(point[1+size:])
		return ecdsa.ParseUncompressedPublicKey(curve, point)
	case "OKP":
		b, err := base64.RawURLEncoding.DecodeString(k.X)
		return ed25519.PublicKey(b), err
	}
	return nil, fmt.Errorf("unknown type %q", k.Type)
}
