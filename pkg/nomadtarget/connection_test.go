package nomadtarget

import (
	"encoding/pem"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const kubeconfigText = `apiVersion: v1
kind: Config
current-context: one
clusters:
- {name: a, cluster: {server: "https://a.example.com"}}
- {name: b, cluster: {server: "https://b.example.com"}}
users:
- {name: u, user: {token: kubec0nfig-s3cr3t}}
contexts:
- {name: one, context: {cluster: a, user: u}}
- {name: two, context: {cluster: b, user: u}}
`

func writeFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

type settings = map[string]string

func connectWith(config, env settings) (connection, error) {
	return resolveConnection(config, func(k string) string { return env[k] })
}

func TestResolveConnection(t *testing.T) {
	kubeconfig, other := writeFile(t, kubeconfigText), writeFile(t,
		strings.ReplaceAll(kubeconfigText, "example.com", "example.org"))
	for _, c := range []struct {
		name        string
		config, env settings
		host, token string
		source      string
		ignored     []string
	}{
		{"bearer token", settings{"harvester_url": "https://h.example.com/", "auth_token": "t"}, nil, "https://h.example.com",
			"t", "harvester_url", nil},
		{"through Rancher", settings{"harvester_url": "https://r.example.com/k8s/clusters/c-1", "auth_token": " t\n"}, nil,
			"https://r.example.com/k8s/clusters/c-1", "t", "harvester_url", nil},
		{"environment wins", settings{"harvester_url": "https://h.example.com", "auth_token": "t"},
			settings{"HARVESTER_URL": "https://e.example.com", "HARVESTER_TOKEN": "e"},
			"https://e.example.com", "e", "HARVESTER_URL", nil},
		{"each key by itself", settings{"harvester_url": "https://h.example.com", "auth_token": "t"},
			settings{"HARVESTER_TOKEN": "e"}, "https://h.example.com", "e", "harvester_url", nil},
		{"URL before kubeconfig", settings{"harvester_url": "https://h.example.com", "auth_token": "t"},
			settings{"KUBECONFIG": kubeconfig},
			"https://h.example.com", "t", "harvester_url", []string{"KUBECONFIG"}},
		{"kubeconfig", settings{"kubeconfig": kubeconfig}, nil, "https://a.example.com", "kubec0nfig-s3cr3t", "kubeconfig",
			nil},
		{"context", settings{"kubeconfig": kubeconfig, "context": "two"}, nil, "https://b.example.com", "kubec0nfig-s3cr3t",
			"kubeconfig", nil},
		{"KUBECONFIG wins", settings{"kubeconfig": kubeconfig}, settings{"KUBECONFIG": other}, "https://a.example.org",
			"kubec0nfig-s3cr3t", "KUBECONFIG", nil},
		{"list of kubeconfigs", nil, settings{"KUBECONFIG": filepath.Join(t.TempDir(), "none") + ":" + other},
			"https://a.example.org", "kubec0nfig-s3cr3t", "KUBECONFIG", nil},
		{"token without URL beside kubeconfig", settings{"kubeconfig": kubeconfig, "auth_token": "t"}, nil,
			"https://a.example.com", "kubec0nfig-s3cr3t", "kubeconfig", []string{"auth_token"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn, err := connectWith(c.config, c.env)
			if err != nil {
				t.Fatal(err)
			}
			if conn.rest.Host != c.host || conn.rest.BearerToken != c.token || conn.source != c.source ||
				!slices.Equal(conn.ignored, c.ignored) {
				t.Errorf("got host %s, token %s, source %s, ignored %v", conn.rest.Host, conn.rest.BearerToken, conn.source,
					conn.ignored)
			}
		})
	}
}

// Errors name the setting as it was written and the remedy, and no secret.
func TestResolveConnectionErrors(t *testing.T) {
	const secret = "s3cr3t"
	kubeconfig := writeFile(t, kubeconfigText)
	for _, c := range []struct {
		name        string
		config, env settings
		texts       []string
	}{
		{"nothing set, not in a cluster", nil, nil, []string{"harvester_url", "kubeconfig", "pod"}},
		{"token without URL", settings{"auth_token": secret}, nil, []string{"auth_token", "set harvester_url"}},
		{"context without kubeconfig", settings{"context": "x"}, nil, []string{"context", "kubeconfig"}},
		{"URL without token", nil, settings{"HARVESTER_URL": "https://h.example.com"},
			[]string{"auth_token", "HARVESTER_URL", "bearer token"}},
		{"token and file", settings{"harvester_url": "https://h", "auth_token_file": "/t"},
			settings{"HARVESTER_TOKEN": secret}, []string{"HARVESTER_TOKEN", "auth_token_file", "one of them"}},
		{"no token file", settings{"harvester_url": "https://h", "auth_token_file": "/no/such/token"}, nil,
			[]string{"auth_token_file", "/no/such/token", "readable file"}},
		{"token in place of its file", nil,
			settings{"HARVESTER_URL": "https://h", "HARVESTER_TOKEN_FILE": "token-x:" + secret},
			[]string{"HARVESTER_TOKEN_FILE", "absolute path"}},
		{"empty token file", settings{"harvester_url": "https://h", "auth_token_file": writeFile(t, " \n")}, nil,
			[]string{"auth_token_file", "is empty"}},
		{"token file of two lines", settings{"harvester_url": "https://h", "auth_token_file": writeFile(t, secret+"\nx")},
			nil, []string{"auth_token_file", "one line"}},
		{"token file without URL", settings{"auth_token_file": "/t"}, nil, []string{"auth_token_file", "set harvester_url"}},
		{"http", settings{"harvester_url": "http://h.example.com", "auth_token": secret}, nil,
			[]string{"harvester_url", "http://h.example.com", "https"}},
		{"token in place of the URL", settings{"harvester_url": "token-x:" + secret, "auth_token": "t"}, nil,
			[]string{"harvester_url", "https"}},
		{"broken URL with a password", nil, settings{"HARVESTER_URL": "https://u:" + secret + "@h:port"},
			[]string{"HARVESTER_URL"}},
		{"password in the URL", settings{"harvester_url": "https://" + secret + "@h.example.com", "auth_token": "t"}, nil,
			[]string{"harvester_url", "auth_token"}},
		{"token of two lines", nil, settings{"HARVESTER_URL": "https://h", "HARVESTER_TOKEN": secret + "\nx"},
			[]string{"HARVESTER_TOKEN", "one line"}},
		{"token in place of the CA",
			settings{"harvester_url": "https://h", "auth_token": "t", "ca_cert": "token-x:" + secret}, nil,
			[]string{"ca_cert", "perhaps a token", "PEM"}},
		{"token in place of the kubeconfig", nil, settings{"KUBECONFIG": "kubeconfig-user-x:" + secret},
			[]string{"KUBECONFIG", "perhaps a token", "readable kubeconfig"}},
		{"token in place of the kubeconfig's key", settings{"kubeconfig": secret}, nil,
			[]string{"kubeconfig", "perhaps a token"}},
		{"query in the URL", settings{"harvester_url": "https://h.example.com/?token=" + secret, "auth_token": "t"}, nil,
			[]string{"harvester_url", "https://h.example.com/", "address alone"}},
		{"fragment in the URL", nil, settings{"HARVESTER_URL": "https://h.example.com#" + secret, "HARVESTER_TOKEN": "t"},
			[]string{"HARVESTER_URL", "address alone"}},
		{"kubeconfig with http", settings{"kubeconfig": writeFile(t, strings.ReplaceAll(kubeconfigText, "https:", "http:"))},
			nil, []string{"kubeconfig", `"http://a.example.com"`, "https"}},
		{"kubeconfig that trusts anybody", settings{"kubeconfig": writeFile(t, strings.ReplaceAll(kubeconfigText,
			"cluster: {server:", "cluster: {insecure-skip-tls-verify: true, server:"))}, nil,
			[]string{"kubeconfig", "insecure-skip-tls-verify", "certificate-authority-data"}},
		{"no CA file", settings{"harvester_url": "https://h", "auth_token": "t", "ca_cert": "/no/such/ca.pem"}, nil,
			[]string{"ca_cert", "/no/such/ca.pem", "PEM"}},
		{"CA without certificate", settings{"harvester_url": "https://h", "auth_token": "t", "ca_cert": kubeconfig}, nil,
			[]string{"ca_cert", kubeconfig, "no certificate"}},
		{"no kubeconfig file", nil, settings{"KUBECONFIG": "/no/such/kubeconfig"},
			[]string{"KUBECONFIG", "/no/such/kubeconfig"}},
		{"kubeconfig pasted", settings{"kubeconfig": kubeconfigText}, nil, []string{"kubeconfig", "path"}},
		{"kubeconfig is something else", settings{"kubeconfig": writeFile(t, "{{ "+secret)}, nil, []string{"kubeconfig"}},
		{"empty kubeconfig", settings{"kubeconfig": writeFile(t, "")}, nil, []string{"kubeconfig", "context"}},
		{"no such context", settings{"kubeconfig": kubeconfig, "context": "three"}, nil,
			[]string{"context", `"three"`, "get-contexts"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := connectWith(c.config, c.env)
			if err == nil {
				t.Fatal("no error")
			}
			for _, text := range c.texts {
				if !strings.Contains(err.Error(), text) {
					t.Errorf("%q doesn't contain %q", err, text)
				}
			}
			if strings.Contains(err.Error(), secret) {
				t.Errorf("%q holds a secret", err)
			}
		})
	}
}

// A token that expires is renewed in its file, which is read again; client-go does so each minute.
func TestTokenFromFile(t *testing.T) {
	server := newAPIServer(t, complete(3))
	config := server.agentConfig()
	config["auth_token_file"] = writeFile(t, config["auth_token"]+"\n")
	delete(config, "auth_token")
	target, _ := newTestTarget(t)
	if err := target.SetConfig(config); err != nil {
		t.Fatal(err)
	}
	if ready, count := mustStatus(t, target, workers); !ready || count != 3 {
		t.Errorf("Status = %v, %d", ready, count)
	}
	conn, err := connectWith(config, nil)
	if err != nil || conn.rest.BearerTokenFile != config["auth_token_file"] || conn.rest.BearerToken != "" {
		t.Errorf("%+v, %v: the token isn't read again", conn.rest, err)
	}
}

// A kubeconfig may have any program run, with the rights of the agent. That isn't done in silence.
func TestKubeconfigThatRunsAProgram(t *testing.T) {
	target, log := newTestTarget(t)
	program := strings.ReplaceAll(kubeconfigText, "user: {token: kubec0nfig-s3cr3t}",
		`user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: /usr/bin/some-login, interactiveMode: Never}}`)
	if err := target.SetConfig(settings{"kubeconfig": writeFile(t, program)}); err != nil {
		t.Fatal(err)
	}
	if text := log.String(); !strings.Contains(text, `"@level":"warn"`) || !strings.Contains(text, "/usr/bin/some-login") {
		t.Errorf("nobody is told of the program:\n%s", text)
	}
}

func TestCACertificateFromFile(t *testing.T) {
	server := newAPIServer(t, complete(3))
	config := server.agentConfig()
	config["ca_cert"] = writeFile(t,
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw})))
	target, _ := newTestTarget(t)
	if err := target.SetConfig(config); err != nil {
		t.Fatal(err)
	}
	if ready, count := mustStatus(t, target, workers); !ready || count != 3 {
		t.Errorf("Status = %v, %d", ready, count)
	}
}
