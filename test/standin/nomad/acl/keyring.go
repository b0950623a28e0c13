package acl

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
)

// Keyring signs the identities of nodes. Nomad signs with RSA or Ed25519; here it is the latter, which thousands of
// clients cost little with.
type Keyring struct {
	id      string
	private ed25519.PrivateKey
}

// JWK is a public key as /.well-known/jwks.json shows it.
type JWK struct {
	Use   string `json:"use"`
	Type  string `json:"kty"`
	KeyID string `json:"kid"`
	Curve string `json:"crv,omitempty"`
	Alg   string `json:"alg"`
	X     string `json:"x,omitempty"`
	Y     string `json:"y,omitempty"`
	N     string `json:"n,omitempty"`
	E     string `json:"e,omitempty"`
}

type storedKey struct {
	ID   string
	Seed []byte
}

// NewKeyring makes a new key that is kept nowhere.
func NewKeyring() (*Keyring, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return &Keyring{id: uuid.NewString(), private: private}, nil
}

// LoadKeyring reads the key that an earlier server left in the directory, or makes one and leaves it there: what it
// signed is good after a restart, too.
func LoadKeyring(dir string) (*Keyring, error) {
	file := filepath.Join(dir, "signing-key.json")
	content, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKeyring(dir, file)
	}
	if err != nil {
		return nil, fmt.Errorf("read the signing key: %w", err)
	}
	var stored storedKey
	if err := json.Unmarshal(content, &stored); err != nil {
		return nil, fmt.Errorf("read the signing key in %s: %w", file, err)
	}
	if len(stored.Seed) != ed25519.SeedSize {
		return nil, fmt.Errorf("%s holds no signing key", file)
	}
	return &Keyring{id: stored.ID, private: ed25519.NewKeyFromSeed(stored.Seed)}, nil
}

func makeKeyring(dir, file string) (*Keyring, error) {
	k, err := NewKeyring()
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(storedKey{ID: k.id, Seed: k.private.Seed()})
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	// Renamed into place, so that a server that is killed meanwhile leaves a whole key or none.
	if err := os.WriteFile(file+".new", content, 0o600); err != nil {
		return nil, err
	}
	return k, os.Rename(file+".new", file)
}

// Public are the keys to verify with.
func (k *Keyring) Public() []JWK {
	public, _ := k.private.Public().(ed25519.PublicKey) // which the public half of an Ed25519 key is
	return []JWK{{
		Use: "sig", Type: "OKP", KeyID: k.id, Curve: "Ed25519", Alg: jwt.SigningMethodEdDSA.Alg(),
		X: base64.RawURLEncoding.EncodeToString(public),
	}}
}

func (k *Keyring) sign(claims jwt.Claims) (string, error) {
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims)
	token.Header["kid"] = k.id
	return token.SignedString(k.private)
}

func (k *Keyring) verificationKey(*jwt.Token) (any, error) { return k.private.Public(), nil }
