package nomadlink

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nomad"
)

const secretWord = "5ecre7-7oken"

// same is true for what leads to the same Nomad in the same way, in the same words. No bytes are as good as empty ones.
func same(a, b Config) bool {
	fields := func(c Config) [11]string {
		return [11]string{c.Address, c.Region, c.Token, string(c.CACert), string(c.ClientCert), string(c.ClientKey),
			c.TLSServerName, c.AddressIn, c.TokenIn, c.AuthMethod, c.JWTFile}
	}
	return fields(a) == fields(b)
}

// TestConfigNeverPrintsSecrets: words beside a connection mustn't undo its own care.
func TestConfigNeverPrintsSecrets(t *testing.T) {
	c := Config{Connection: nomad.Connection{Address: "http://n:4646", Token: secretWord}, TokenIn: inNoSecret}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{string(encoded), fmt.Sprintf("%v %+v %#v %x %d %s", c, c, c, c, c, c),
		fmt.Sprintf("%+v", &c), fmt.Sprint(c.MarshalLog())} {
		if strings.Contains(text, secretWord) || strings.Contains(text, fmt.Sprintf("%x", secretWord)) ||
			strings.Contains(text, "53 101") {
			t.Errorf("a secret is in %q", text)
		}
	}
}

func secretWith(data map[string]string) *corev1.Secret {
	s := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "creds"}, Data: map[string][]byte{}}
	for k, v := range data {
		s.Data[k] = []byte(v)
	}
	return s
}

func TestResolve(t *testing.T) {
	defaults := Config{
		Connection: nomad.Connection{
			Address:       "https://default:4646",
			Region:        "eu",
			Token:         "default",
			TLSServerName: "server.eu.nomad",
		},
		TokenIn: inDefaultsSecret, Namespaces: allowed{"ns/pool", "ns/pool/us"}, Addresses: allowed{"other:4646"},
	}
	for name, tc := range map[string]struct {
		spec   v1alpha1.NomadConnection
		secret *corev1.Secret
		want   Config
	}{
		"nothing given": {want: defaults},
		"default address spelled out": {
			spec: v1alpha1.NomadConnection{Address: "https://default:4646/"},
			want: defaults,
		},
		"other region": {
			spec: v1alpha1.NomadConnection{Region: "us"},
			want: Config{Connection: nomad.Connection{Address: "https://default:4646", Region: "us", Token: "default",
				TLSServerName: "server.eu.nomad"}, TokenIn: inDefaultsSecret},
		},
		"default credentials stay at the default address": {
			spec: v1alpha1.NomadConnection{Address: "https://other:4646"},
			want: Config{Connection: nomad.Connection{Address: "https://other:4646", OfPool: true}, TokenIn: inNoSecret},
		},
		"token of the Secret": {
			spec:   v1alpha1.NomadConnection{Address: "https://other:4646"},
			secret: secretWith(map[string]string{"token": "theirs\n", "unrelated": "x"}),
			want:   Config{Connection: nomad.Connection{Address: "https://other:4646", OfPool: true, Token: "theirs"}},
		},
		"a CA alone in the Secret": {
			spec:   v1alpha1.NomadConnection{Address: "https://other:4646"},
			secret: secretWith(map[string]string{"ca.crt": ""}),
			want:   Config{Connection: nomad.Connection{Address: "https://other:4646", OfPool: true}},
		},
		"a CA alone in the Secret at the own address: not with the own token": {
			secret: secretWith(map[string]string{"ca.crt": ""}),
			want: Config{Connection: nomad.Connection{Address: "https://default:4646", Region: "eu",
				TLSServerName: "server.eu.nomad"}},
		},
		"a server name": {
			spec:   v1alpha1.NomadConnection{Address: "https://other:4646"},
			secret: secretWith(map[string]string{"tls-server-name": "server.us.nomad\n"}),
			want:   Config{Connection: nomad.Connection{Address: "https://other:4646", OfPool: true, TLSServerName: "server.us.nomad"}},
		},
		"token of the Secret at the own address": {
			secret: secretWith(map[string]string{"token": "theirs"}),
			want: Config{Connection: nomad.Connection{Address: "https://default:4646", Region: "eu", Token: "theirs",
				TLSServerName: "server.eu.nomad"}},
		},
		"the region by its name": {
			spec: v1alpha1.NomadConnection{Region: "eu"},
			want: defaults,
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := poolConnection(defaults, asker{namespace: "ns", nodePool: "pool"}, tc.spec, tc.secret)
			if err != nil {
				t.Fatal(err)
			}
			if !same(got, tc.want) {
				t.Errorf("got %s with token %q, want %s", got, got.Token, tc.want)
			}
		})
	}
}

// The controller's login is as much its own as a token: it is used where the operator says, at the controller's address
// alone, and never beside a pool's Secret.
func TestTheControllersLoginStaysAtHome(t *testing.T) {
	defaults := Config{Connection: nomad.Connection{Address: "https://default:4646", AuthMethod: "m", JWTFile: jwtFile},
		Namespaces: allowed{"ns"}, Addresses: allowed{"other:4646"}}
	resolve := func(namespace, address string, secret *corev1.Secret) (Config, error) {
		return poolConnection(defaults, asker{namespace: namespace, nodePool: "default"},
			v1alpha1.NomadConnection{Address: address}, secret)
	}
	for name, c := range map[string]struct {
		address string
		secret  *corev1.Secret
		want    string
	}{
		"own": {"", nil, "m"}, "other": {"https://other:4646", nil, ""},
		"with a Secret": {"", secretWith(map[string]string{"ca.crt": ""}), ""},
	} {
		if got, err := resolve("ns", c.address, c.secret); err != nil || got.AuthMethod != c.want || (got.JWTFile != "") != (c.want != "") {
			t.Errorf("%s: got %s, %v", name, got, err)
		}
	}
	if _, err := resolve("elsewhere", "", nil); err == nil || !strings.Contains(err.Error(), "ALLOWED_NAMESPACES") {
		t.Errorf("got %v", err)
	}
}

func TestResolveRefuses(t *testing.T) {
	defaults := Config{Connection: nomad.Connection{Address: "https://default:4646"}}
	withToken := Config{Connection: nomad.Connection{Address: "https://default:4646", Token: secretWord},
		Namespaces: allowed{"prod", "ns/batch"}, Addresses: allowed{"nomad:4646"}}
	certificate := Config{Connection: nomad.Connection{Address: "https://default:4646", ClientCert: []byte("x")}}
	serviceAccount := secretWith(map[string]string{"token": secretWord})
	serviceAccount.Type = corev1.SecretTypeServiceAccountToken
	for name, tc := range map[string]struct {
		defaults Config
		spec     v1alpha1.NomadConnection
		secret   *corev1.Secret
		want     []string
	}{
		"the own token in a namespace that isn't named": {defaults: withToken, want: []string{"namespace ns may not use",
			"ns/default", "ALLOWED_NAMESPACES", "nomad-harvester-nomad", "credentialsSecretRef"}},
		"the own token in a region that isn't named": {defaults: func() Config {
			c := withToken
			c.Namespaces = allowed{"*", "*/*", "ns/*/us"}
			return c
		}(), spec: v1alpha1.NomadConnection{Region: "eu"},
			want: []string{"node pool default, region eu", "add ns/default/eu to", "ALLOWED_NAMESPACES"}},
		"the own certificate": {defaults: certificate, want: []string{"ALLOWED_NAMESPACES"}},
		"of all regions not even in the default one": {defaults: Config{
			Connection: nomad.Connection{Address: "https://default:4646", Token: secretWord, Region: "eu"}, Namespaces: allowed{"*"}},
			spec: v1alpha1.NomadConnection{Region: "global"}, want: []string{"region global", "add ns/default/global to"}},
		"an address that isn't named": {defaults: withToken, spec: v1alpha1.NomadConnection{Address: "https://169.254.169.254"},
			want: []string{"spec.nomad.address", `"https://169.254.169.254"`, "ALLOWED_ADDRESSES"}},
		"a service account's token": {defaults: withToken, secret: serviceAccount, want: []string{`"ns/creds"`, "service account"}},
		"no address":                {want: []string{"spec.nomad.address", "NOMAD_ADDR"}},
		"no URL": {spec: v1alpha1.NomadConnection{Address: "nomad:4646"},
			want: []string{"spec.nomad.address", `"nomad:4646"`, "https://host:port"}},
		"path": {spec: v1alpha1.NomadConnection{Address: "http://nomad:4646/v1"},
			want: []string{`"http://nomad:4646/v1"`}},
		"password": {spec: v1alpha1.NomadConnection{Address: "http://u:" + secretWord + "@nomad:4646"},
			want: []string{"ACL token"}},
		"unparseable": {spec: v1alpha1.NomadConnection{Address: "http://u:" + secretWord + "@no mad"},
			want: []string{"spec.nomad.address"}},
		"no Secret": {defaults: defaults,
			spec: v1alpha1.NomadConnection{CredentialsSecretRef: &v1alpha1.SecretRef{Name: "creds"}},
			want: []string{"credentialsSecretRef", `"creds"`, "create it"}},
		"empty Secret": {defaults: defaults, secret: secretWith(map[string]string{"Token": secretWord}),
			want: []string{`"ns/creds"`, `"token"`, "tls.key"}},
		"two tokens": {defaults: defaults, secret: secretWith(map[string]string{"token": secretWord + "\nx"}),
			want: []string{`"ns/creds", key "token"`, "white space"}},
		"bad CA": {defaults: defaults, secret: secretWith(map[string]string{"ca.crt": "x"}),
			want: []string{`key "ca.crt"`, "PEM"}},
		"no key": {defaults: defaults, secret: secretWith(map[string]string{"tls.crt": "x"}),
			want: []string{`key "tls.key" is missing`}},
		"no cert": {defaults: defaults, secret: secretWith(map[string]string{"tls.key": secretWord}),
			want: []string{`key "tls.crt" is missing`}},
		"a name of two lines": {defaults: defaults, secret: secretWith(map[string]string{"tls-server-name": "server.eu.nomad\nx"}),
			want: []string{`"ns/creds", key "tls-server-name"`, `"server.eu.nomad\nx"`, "server.REGION.nomad"}},
		"a name with a space": {defaults: defaults, secret: secretWith(map[string]string{"tls-server-name": "server nomad"}),
			want: []string{`key "tls-server-name"`}},
		"a URL for a name": {defaults: defaults, secret: secretWith(map[string]string{"tls-server-name": "https://nomad"}),
			want: []string{`key "tls-server-name"`}},
		"a name with a port": {defaults: defaults, secret: secretWith(map[string]string{"tls-server-name": "nomad:4646"}),
			want: []string{`key "tls-server-name"`}},
		"bad pair": {defaults: defaults, secret: secretWith(map[string]string{"tls.crt": "x", "tls.key": secretWord}),
			want: []string{"no usable pair"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := poolConnection(tc.defaults, asker{namespace: "ns", nodePool: "default"}, tc.spec, tc.secret)
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

// What pools may no longer use or name doesn't keep a member from being drained: it would run on, or go undrained.
func TestLeavingMembersKeepTheirConnection(t *testing.T) {
	defaults := Config{Connection: nomad.Connection{Address: "https://default:4646", Token: "t"}}
	theirs := v1alpha1.NomadConnection{Address: "https://other:4646"}
	n := &v1alpha1.NomadNode{ObjectMeta: metav1.ObjectMeta{Namespace: "ns"}}
	check := func(what string, spec v1alpha1.NomadConnection, may bool) {
		t.Helper()
		if _, err := poolConnection(defaults, askerOf(n, ""), spec, nil); (err == nil) != may {
			t.Errorf("%s, %q: %v", what, spec.Address, err)
		}
	}
	check("wanted", v1alpha1.NomadConnection{}, false)
	check("wanted", theirs, false)
	n.Spec.Drain = &v1alpha1.DrainRequest{}
	check("leaving", v1alpha1.NomadConnection{}, true)
	check("leaving, never joined", theirs, false)
	n.Status.Nomad.Cluster = "https://other:4646"
	check("leaving", theirs, true)
	check("leaving, of another region", v1alpha1.NomadConnection{Address: theirs.Address, Region: "us"}, false)
}
