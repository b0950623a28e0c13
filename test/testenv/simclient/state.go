package simclient

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
)

// state is what a client keeps over restarts.
type state struct {
	dir string
	// id and secret identify the node; a server refuses a known id with another secret.
	id, secret string
	// identity is the signed token by which the server knows the node, once it has registered.
	identity string
}

const (
	idFile       = "client-id"
	secretFile   = "secret-id"
	introFile    = "intro_token.jwt"
	identityFile = "simulated-identity.jwt" // a real client has it in state.db
)

// loadState reads the state directory, and fills in what isn't there. As in Nomad the ID is taken as the file
// has it: with a trailing newline it's a wrong one.
func loadState(o Options) (state, error) {
	s := state{dir: o.StateDir, id: o.ID}
	for file, field := range map[string]*string{idFile: &s.id, secretFile: &s.secret, identityFile: &s.identity} {
		if err := s.load(file, field); err != nil {
			return s, err
		}
	}
	for file, field := range map[string]*string{idFile: &s.id, secretFile: &s.secret} {
		if *field != "" {
			continue
		}
		*field = uuid.NewString()
		if err := s.save(file, *field); err != nil {
			return s, err
		}
	}
	return s, nil
}

func (s *state) load(file string, field *string) error {
	if s.dir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(s.dir, file))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	*field = string(b)
	return nil
}

func (s *state) save(file, content string) error {
	if s.dir == "" {
		return nil
	}
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(s.dir, file), []byte(content), 0o600)
}

// introduction is the token for the next registration: the node's own identity if it has one, else the
// introduction token, from the options before the file. Unlike the ID it's trimmed.
func (s *state) introduction(o Options) (string, error) {
	if s.identity != "" {
		return s.identity, nil
	}
	token := o.IntroToken
	if token == "" {
		if err := s.load(introFile, &token); err != nil {
			return "", err
		}
	}
	return strings.TrimSpace(token), nil
}
