package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/google/uuid"
)

// identity is by what the servers know the node.
type identity struct {
	id, secret string
	// signed is the node's identity once it has registered; intro the introduction for the first time (facts/nomad.md §4).
	signed, intro string
}

const (
	idFile     = "client-id"
	secretFile = "secret-id"
	introFile  = "intro_token.jwt"
)

var uuidPattern = regexp.MustCompile(`^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$`)

// loadIdentity takes what is in the state directory, and makes what isn't. The ID is taken as the file has it: with a
// trailing newline it's a wrong one (facts/nomad.md §3).
func loadIdentity(dir string) (identity, error) {
	var i identity
	for file, field := range map[string]*string{idFile: &i.id, secretFile: &i.secret} {
		text, err := os.ReadFile(filepath.Join(dir, file))
		switch {
		case err == nil:
			*field = string(text)
		case errors.Is(err, fs.ErrNotExist):
			*field = uuid.NewString()
			if err := os.WriteFile(filepath.Join(dir, file), []byte(*field), 0o600); err != nil {
				return i, err
			}
		default:
			return i, err
		}
	}
	if len(i.id) != 36 {
		return i, fmt.Errorf("invalid node ID %q: UUID must be 36 characters", i.id)
	}
	if !uuidPattern.MatchString(i.id) {
		return i, fmt.Errorf("invalid node ID %q: Invalid UUID", i.id)
	}
	i.intro = strings.TrimSpace(os.Getenv("NOMAD_CLIENT_INTRO_TOKEN"))
	if i.intro == "" {
		text, err := os.ReadFile(filepath.Join(dir, introFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return i, err
		}
		i.intro = strings.TrimSpace(string(text))
	}
	return i, nil
}

// registration is the token for the next registration.
func (i *identity) registration() string {
	if i.signed != "" {
		return i.signed
	}
	return i.intro
}

// auth is the token for all else; before Nomad 1.11 that was the secret.
func (i *identity) auth() string {
	if i.signed != "" {
		return i.signed
	}
	return i.secret
}
