package nomad

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	"pgregory.net/rapid"
)

const secretWord = "5ecre7-7oken"

func TestConnectionNeverPrintsSecrets(t *testing.T) {
	conn := Connection{
		Address: "https://nomad:4646", Region: "eu", Token: secretWord,
		CACert: []byte("ca"), ClientCert: []byte("cert"), ClientKey: []byte(secretWord), TLSServerName: "server.eu.nomad",
	}
	var logged []string
	log := funcr.New(func(_, args string) { logged = append(logged, args) }, funcr.Options{})
	log.Info("connect", "to", conn, "pointer", &conn)
	encoded, err := json.Marshal(struct{ C Connection }{conn})
	if err != nil {
		t.Fatal(err)
	}
	texts := append(logged, string(encoded))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, conn), fmt.Sprintf(verb, &conn), fmt.Sprintf(verb, []Connection{conn}))
	}
	for _, text := range texts {
		if strings.Contains(text, secretWord) || strings.Contains(text, fmt.Sprintf("%x", secretWord)) ||
			strings.Contains(text, "53 101") {
			t.Errorf("a secret is in %q", text)
		}
		if !strings.Contains(text, "nomad:4646") {
			t.Errorf("the address is missing in %q", text)
		}
	}
}

func TestConnectionKeyDistinguishesFields(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) Connection {
		s := rapid.StringMatching(`[ab]{0,2}`)
		return Connection{
			Address: s.Draw(t, "address"), Region: s.Draw(t, "region"), Token: s.Draw(t, "token"),
			CACert: []byte(s.Draw(t, "ca")), ClientCert: []byte(s.Draw(t, "cert")), ClientKey: []byte(s.Draw(t, "key")),
			TLSServerName: s.Draw(t, "name"),
		}
	})
	fields := func(c Connection) [7]string {
		return [7]string{c.Address, c.Region, c.Token, string(c.CACert), string(c.ClientCert), string(c.ClientKey),
			c.TLSServerName}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if (a.key() == b.key()) != (fields(a) == fields(b)) {
			t.Fatalf("%q and %q", fields(a), fields(b))
		}
	})
}
