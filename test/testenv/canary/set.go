package canary

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"regexp"
	"strings"
	"sync"
)

const (
	// first is how many characters of a secret give it away: who sees these may guess, or look up, the rest.
	first = 12
	// key is by how many bytes needles are looked up: as many as one word of the processor, and fewer than any needle has.
	key = 8
)

// Set holds secrets. The zero value is ready to use, also by several goroutines.
type Set struct {
	mu      sync.RWMutex
	known   map[string]bool
	needles map[uint64][]needle
}

// needle is a text that gives a secret away.
type needle struct{ text, of, as string }

// Hit is a place where a secret was found. It doesn't say the secret, and where it is says enough to find it.
type Hit struct {
	// Name is which secret, and As how it was written: "its first 12 characters", "base64".
	Name, As string
	// Offset is where it begins.
	Offset int
}

// ErrShort is of a secret that is too short, or too plain, to be told from other text.
var ErrShort = errors.New("a canary has at least 16 characters")

// Add takes in a secret. Of a JSON web token it's the signature that is secret, because many tokens begin alike; of a
// key in PEM what is between the lines that all have.
func (s *Set) Add(name, value string) error {
	value = distinct(strings.TrimSpace(value))
	if len(value) < first+4 {
		return ErrShort
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[value] {
		return nil
	}
	if s.known == nil {
		s.known, s.needles = map[string]bool{}, map[uint64][]needle{}
	}
	s.known[value] = true
	s.add(needle{value[:first], name, "its first 12 characters"})
	// Base64 depends on where in a longer text the secret begins; the last character on what follows it.
	for skip := range 3 {
		encoded := base64.RawStdEncoding.EncodeToString([]byte(value[skip:first]))
		encoded = encoded[:(first-skip)*8/6]
		s.add(needle{encoded, name, "base64"})
		if url := strings.NewReplacer("+", "-", "/", "_").Replace(encoded); url != encoded {
			s.add(needle{url, name, "base64"})
		}
	}
	return nil
}

func (s *Set) add(n needle) {
	k := binary.LittleEndian.Uint64([]byte(n.text[:key]))
	s.needles[k] = append(s.needles[k], n)
}

// Count is how many secrets there are.
func (s *Set) Count() int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return len(s.known)
}

// Find looks for all secrets, in a time that doesn't depend on how many there are.
func (s *Set) Find(text string) []Hit {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var hits []Hit
	var window uint64
	for i := range len(text) {
		window = window>>8 | uint64(text[i])<<56
		if i < key-1 {
			continue
		}
		for _, n := range s.needles[window] {
			if at := i - key + 1; strings.HasPrefix(text[at:], n.text) {
				hits = append(hits, Hit{n.of, n.as, at})
			}
		}
	}
	return hits
}

var (
	tokens = regexp.MustCompile(`eyJ[\w-]+\.eyJ[\w-]+\.[\w-]{16,}`)
	keys   = regexp.MustCompile(`(?s)-----BEGIN ([A-Z ]*)PRIVATE KEY-----\s+(.*?)\s*-----END`)
)

// AddAllIn takes in each JSON web token and each private key in a text, and says how many there were.
func (s *Set) AddAllIn(name, text string) int {
	found := append(tokens.FindAllString(text, -1), keys.FindAllString(text, -1)...)
	for _, secret := range found {
		_ = s.Add(name, secret) // none is short
	}
	return len(found)
}

// distinct is the part of a secret that no other has.
func distinct(value string) string {
	if tokens.FindString(value) == value {
		return value[strings.LastIndexByte(value, '.')+1:]
	}
	pem := keys.FindStringSubmatch(value)
	if pem == nil {
		return value
	}
	header := 12 // of the ASN.1 of an elliptic curve's key, in base64
	if pem[1] == "" {
		header = 48 // the same in PKCS #8
	}
	body := strings.Join(strings.Fields(pem[2]), "")
	return body[min(header, len(body)):]
}
