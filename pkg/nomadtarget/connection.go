package nomadtarget

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"k8s.io/client-go/rest"
)

// A setting is a key of the agent's target block that can also come from the environment, which wins.
type setting struct {
	key string
	env string // "": none
}

var (
	settingURL        = setting{"harvester_url", "HARVESTER_URL"}
	settingToken      = setting{"auth_token", "HARVESTER_TOKEN"}
	settingTokenFile  = setting{"auth_token_file", "HARVESTER_TOKEN_FILE"}
	settingCA         = setting{"ca_cert", "HARVESTER_CA_CERT"}
	settingKubeconfig = setting{"kubeconfig", "KUBECONFIG"}
	settingContext    = setting{"context", ""}
)

// A found setting: its value, and its name where it was set: key or variable.
type found struct {
	value string // "": not set
	name  string
}

func (s setting) find(config map[string]string, getenv func(string) string) found {
	if s.env != "" {
		if v := strings.TrimSpace(getenv(s.env)); v != "" {
			return found{v, s.env}
		}
	}
	return found{strings.TrimSpace(config[s.key]), s.key}
}

// A connection is how to reach the API server.
type connection struct {
	rest *rest.Config
	// source names the setting that was used.
	source string
	// ignored names settings that are present and have no effect.
	ignored []string
	// runs is the program that a kubeconfig has run for a token; empty: none.
	runs string
}

func (c connection) explain(err error) error {
	return fmt.Errorf("%s can't be used: %w", c.source, err)
}

// resolveConnection chooses, in this order: harvester_url with auth_token or auth_token_file; kubeconfig; the service
// account of the pod that the agent runs in. It reads files and never the network. Keys that it doesn't know belong to
// the agent and are ignored. Its errors name the setting and the remedy, and never a secret's value.
func resolveConnection(config map[string]string, getenv func(string) string) (connection, error) {
	find := func(s setting) found { return s.find(config, getenv) }
	address, ca := find(settingURL), find(settingCA)
	token, tokenFile := find(settingToken), find(settingTokenFile)
	kubeconfig, context := find(settingKubeconfig), find(settingContext)

	switch {
	case address.value != "":
		cfg, err := bearerConfig(address, token, tokenFile, ca)
		return connection{rest: cfg, source: address.name, ignored: present(kubeconfig, context)}, err
	case kubeconfig.value != "":
		cfg, err := fromKubeconfig(kubeconfig, context)
		return connection{cfg, kubeconfig.name, present(token, tokenFile, ca), runs(cfg)}, err
	}
	if lost := present(token, tokenFile, ca, context); len(lost) > 0 {
		return connection{}, fmt.Errorf("%s: set without a server to use it with; set harvester_url (or HARVESTER_URL), "+
			"or kubeconfig (or KUBECONFIG), too", strings.Join(lost, ", "))
	}
	cfg, err := rest.InClusterConfig()
	if errors.Is(err, rest.ErrNotInCluster) {
		return connection{}, errors.New("no way to reach Harvester: set harvester_url and auth_token (or HARVESTER_URL and " +
			"HARVESTER_TOKEN), or kubeconfig (or KUBECONFIG), or run the autoscaler as a pod in Harvester's cluster")
	}
	if err != nil {
		return connection{}, fmt.Errorf("the pod's service account can't be used: %w", err)
	}
	return connection{rest: cfg, source: "the pod's service account"}, nil
}

func present(settings ...found) []string {
	var names []string
	for _, s := range settings {
		if s.value != "" {
			names = append(names, s.name)
		}
	}
	return names
}

func bearerConfig(address, token, tokenFile, ca found) (*rest.Config, error) {
	u, err := url.Parse(address.value)
	if err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, fmt.Errorf("%s: %q is not an https URL; use Harvester's, such as https://harvester.example.com or "+
			"https://rancher.example.com/k8s/clusters/c-abcde", address.name, redactedHost(address.value))
	}
	if u.User != nil {
		return nil, fmt.Errorf(
			"%s: %q holds a user name or password; put a token into auth_token (or HARVESTER_TOKEN) instead", address.name,
			redactedHost(address.value))
	}
	if u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%s: %q has more behind it, from ? or # on (it isn't shown, since it may hold a secret); "+
			"use the address alone", address.name, redactedHost(address.value))
	}
	cfg := &rest.Config{Host: strings.TrimRight(address.value, "/"), BearerToken: token.value,
		BearerTokenFile: tokenFile.value}
	switch {
	case token.value != "" && tokenFile.value != "":
		return nil, fmt.Errorf("%s and %s are both set; use one of them", token.name, tokenFile.name)
	case tokenFile.value != "":
		err = readableToken(tokenFile)
	case token.value != "":
		err = plainToken(token.name, token.value)
	default:
		err = fmt.Errorf("auth_token: missing, and %s is set; set auth_token (or HARVESTER_TOKEN) to a bearer token, "+
			"such as an API key made in Harvester or Rancher, or auth_token_file (or HARVESTER_TOKEN_FILE) to the path of one",
			address.name)
	}
	if err != nil || ca.value == "" {
		return cfg, err
	}
	cfg.CAData, err = certificates(ca)
	return cfg, err
}

// readableToken is an error if a file can't serve as token. client-go reads it again each minute
// (transport/token_source.go), so that a renewed token doesn't need a reload of the agent.
func readableToken(file found) error {
	if !filepath.IsAbs(file.value) {
		return fmt.Errorf(
			"%s: is no absolute path (it isn't shown, since it may be the token itself); use the path of a file that holds a bearer token",
			file.name)
	}
	token, err := os.ReadFile(file.value)
	if err != nil {
		return fmt.Errorf("%s: %w; use the path of a readable file that holds a bearer token", file.name, err)
	}
	return plainToken(fmt.Sprintf("%s: %q", file.name, file.value), strings.TrimSpace(string(token)))
}

func plainToken(name, token string) error {
	if token == "" {
		return fmt.Errorf("%s: is empty; it is to hold a bearer token", name)
	}
	if strings.ContainsFunc(token, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return fmt.Errorf("%s: holds white space or control characters; use the token alone, on one line", name)
	}
	return nil
}

// certificates reads PEM from the setting itself, or from the file that it names.
func certificates(ca found) ([]byte, error) {
	pem := []byte(ca.value)
	shown := "the given text"
	if !strings.HasPrefix(ca.value, "-----BEGIN") {
		var err error
		if pem, err = os.ReadFile(ca.value); err != nil {
			return nil, fmt.Errorf("%s: %s: %w; use the path of a readable PEM file, or the PEM text itself", ca.name,
				shownPath(ca.value), cause(err))
		}
		shown = shownPath(ca.value)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("%s: %s holds no certificate; use PEM, beginning with -----BEGIN CERTIFICATE-----", ca.name,
			shown)
	}
	return pem, nil
}

// redactedHost is a server's address as it may be shown. Anything but a URL isn't shown, because URL and token are
// easily swapped.
func redactedHost(host string) string {
	u, err := url.Parse(host)
	if err != nil || u.Host == "" {
		return "(not shown: no URL, so perhaps a token)"
	}
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}
