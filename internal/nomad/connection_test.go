package nomad

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/go-logr/logr/funcr"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
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
	texts := append(logged, string(encoded), newRemote(conn, 0).origin.address)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		texts = append(texts, fmt.Sprintf(verb, conn), fmt.Sprintf(verb, &conn), fmt.Sprintf(verb, []Connection{conn}))
	}
	for _, text := range texts {
		if strings.Contains(text, secretWord) || strings.Contains(text, fmt.Sprintf("%x", secretWord)) || strings.Contains(text, "53 101") {
			t.Errorf("a secret is in %q", text)
		}
		if !strings.Contains(text, "nomad:4646") {
			t.Errorf("the address is missing in %q", text)
		}
	}
}

func TestConnectionKeyTellsFieldsApart(t *testing.T) {
	gen := rapid.Custom(func(t *rapid.T) Connection {
		s := rapid.StringMatching(`[ab]{0,2}`)
		return Connection{
			Address: s.Draw(t, "address"), Region: s.Draw(t, "region"), Token: s.Draw(t, "token"),
			CACert: []byte(s.Draw(t, "ca")), ClientCert: []byte(s.Draw(t, "cert")), ClientKey: []byte(s.Draw(t, "key")),
			TLSServerName: s.Draw(t, "name"), AddressIn: s.Draw(t, "address in"), TokenIn: s.Draw(t, "token in"),
		}
	})
	fields := func(c Connection) [9]string {
		return [9]string{c.Address, c.Region, c.Token, string(c.CACert), string(c.ClientCert), string(c.ClientKey), c.TLSServerName, c.AddressIn, c.TokenIn}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b := gen.Draw(t, "a"), gen.Draw(t, "b")
		if (a.key() == b.key()) != (fields(a) == fields(b)) {
			t.Fatalf("%q and %q", fields(a), fields(b))
		}
	})
}

func secretWith(data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "creds"}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func TestResolve(t *testing.T) {
	defaults := Connection{Address: "https://own:4646", Region: "eu", Token: "own", TLSServerName: "server.eu.nomad", TokenIn: inOwnSecret}
	for name, tc := range map[string]struct {
		spec   v1alpha1.NomadConnection
		secret *corev1.Secret
		want   Connection
	}{
		"nothing given": {want: defaults},
		"own address spelled out": {
			spec: v1alpha1.NomadConnection{Address: "https://own:4646/"},
			want: defaults,
		},
		"other region": {
			spec: v1alpha1.NomadConnection{Region: "us"},
			want: Connection{Address: "https://own:4646", Region: "us", Token: "own", TLSServerName: "server.eu.nomad", TokenIn: inOwnSecret},
		},
		"own credentials stay at the own address": {
			spec: v1alpha1.NomadConnection{Address: "https://other:4646"},
			want: Connection{Address: "https://other:4646", TokenIn: inNoSecret},
		},
		"token of the Secret": {
			spec:   v1alpha1.NomadConnection{Address: "https://other:4646"},
			secret: secretWith(map[string]string{"token": "theirs\n", "unrelated": "x"}),
			want:   Connection{Address: "https://other:4646", Token: "theirs"},
		},
		"a CA alone in the Secret": {
			spec:   v1alpha1.NomadConnection{Address: "https://other:4646"},
			secret: secretWith(map[string]string{"ca.crt": ""}),
			want:   Connection{Address: "https://other:4646"},
		},
		"token of the Secret at the own address": {
			secret: secretWith(map[string]string{"token": "theirs"}),
			want:   Connection{Address: "https://own:4646", Region: "eu", Token: "theirs", TLSServerName: "server.eu.nomad"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Resolve(defaults, tc.spec, tc.secret)
			if err != nil {
				t.Fatal(err)
			}
			if got.key() != tc.want.key() {
				t.Errorf("got %s with token %q, want %s", got, got.Token, tc.want)
			}
		})
	}
}

func TestResolveRefuses(t *testing.T) {
	own := Connection{Address: "https://own:4646"}
	for name, tc := range map[string]struct {
		defaults Connection
		spec     v1alpha1.NomadConnection
		secret   *corev1.Secret
		want     []string
	}{
		"no address":   {want: []string{"spec.nomad.address", "NOMAD_ADDR"}},
		"no URL":       {spec: v1alpha1.NomadConnection{Address: "nomad:4646"}, want: []string{"spec.nomad.address", `"nomad:4646"`, "https://host:port"}},
		"path":         {spec: v1alpha1.NomadConnection{Address: "http://nomad:4646/v1"}, want: []string{`"http://nomad:4646/v1"`}},
		"password":     {spec: v1alpha1.NomadConnection{Address: "http://u:" + secretWord + "@nomad:4646"}, want: []string{"ACL token"}},
		"unparseable":  {spec: v1alpha1.NomadConnection{Address: "http://u:" + secretWord + "@no mad"}, want: []string{"spec.nomad.address"}},
		"no Secret":    {defaults: own, spec: v1alpha1.NomadConnection{CredentialsSecretRef: &v1alpha1.SecretRef{Name: "creds"}}, want: []string{"credentialsSecretRef", `"creds"`, "create it"}},
		"empty Secret": {defaults: own, secret: secretWith(map[string]string{"Token": secretWord}), want: []string{`"ns/creds"`, `"token"`, "tls.key"}},
		"two tokens":   {defaults: own, secret: secretWith(map[string]string{"token": secretWord + "\nx"}), want: []string{`"ns/creds", key "token"`, "white space"}},
		"bad CA":       {defaults: own, secret: secretWith(map[string]string{"ca.crt": "x"}), want: []string{`key "ca.crt"`, "PEM"}},
		"no key":       {defaults: own, secret: secretWith(map[string]string{"tls.crt": "x"}), want: []string{`key "tls.key" is missing`}},
		"no cert":      {defaults: own, secret: secretWith(map[string]string{"tls.key": secretWord}), want: []string{`key "tls.crt" is missing`}},
		"bad pair":     {defaults: own, secret: secretWith(map[string]string{"tls.crt": "x", "tls.key": secretWord}), want: []string{"no usable pair"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Resolve(tc.defaults, tc.spec, tc.secret)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secretWord) {
				t.Errorf("a secret is in %q", err)
			}
			for _, want := range tc.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q lacks %q", err, want)
				}
			}
		})
	}
}
