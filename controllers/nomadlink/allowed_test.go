package nomadlink

import (
	"cmp"
	"strings"
	"testing"
)

func TestAllowed(t *testing.T) {
	for _, c := range []struct {
		text, namespace, nodePool string
		region                    string // empty: the controller's own, which is "home"
		want                      bool
	}{
		{"", "prod", "default", "", false},
		{"prod", "prod", "anything", "", true},
		{"prod", "prod-2", "default", "", false},
		{"a, prod\n", "prod", "default", "", true},
		{"*", "prod", "default", "", true},
		{"team-*", "team-a", "default", "", true},
		{"dev/dev-*", "dev", "dev-1", "", true},
		{"dev/dev-*", "dev", "prod", "", false},
		{"dev/dev-*", "prod", "dev-1", "", false},
		{"*/shared", "dev", "shared", "", true},
		{"*/shared", "dev", "prod", "", false},
		{"prod, dev/*", "prod", "default", "eu", false},
		{"prod, dev/*", "dev", "default", "eu", false},
		{"*, */*", "prod", "default", "eu", false},
		{"prod/*/eu", "prod", "default", "eu", true},
		{"prod/*/eu", "prod", "default", "us", false},
		{"prod/batch-*/*", "prod", "default", "us", false},
		{"prod/batch-*/*", "prod", "batch-1", "us", true},
		{"prod/*/eu", "prod", "default", "", false},
		{"prod/*/home", "prod", "default", "", true},
	} {
		a, err := parseAllowed("key", c.text, "a namespace", 2)
		if err != nil {
			t.Fatal(err)
		}
		if got := a.credentials(c.namespace, c.nodePool, cmp.Or(c.region, "home"), c.region == ""); got != c.want {
			t.Errorf("%q: %s/%s/%s: %t", c.text, c.namespace, c.nodePool, c.region, got)
		}
	}
	for _, wrong := range []string{"[", "a/b/c/d", "a/", "/b", "https://x:1"} {
		if _, err := parseAllowed("the key", wrong, "a namespace", 2); err == nil || !strings.Contains(err.Error(), "the key") ||
			!strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestAllowedAddresses(t *testing.T) {
	a, err := parseAllowed("key", "nomad.*.example.com:4646, 10.0.0.1:4646, [fd00::1]:4646", "an address", 0)
	if err != nil {
		t.Fatal(err)
	}
	for address, want := range map[string]bool{
		"nomad.eu.example.com:4646": true, "nomad.eu.example.com:8500": false, "10.0.0.1:4646": true, "[fd00::1]:4646": true, "f:4646": false, "169.254.169.254": false,
	} {
		if got := a.address(address); got != want {
			t.Errorf("%s: %t", address, got)
		}
	}
}
