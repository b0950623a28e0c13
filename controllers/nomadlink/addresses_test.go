package nomadlink

import (
	"net/netip"
	"strings"
	"testing"
)

func TestRefusedAddresses(t *testing.T) {
	cidrs := func(text string) []netip.Prefix {
		t.Helper()
		out, err := ParseCIDRs(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	inCluster := Addresses{Denied: cidrs("10.52.0.0/16, 10.53.0.0/16\nfd00:53::/112")}.beside("https://10.53.0.1:443")
	allowing := Addresses{Denied: inCluster.Denied, Allowed: cidrs("10.53.7.7/32,127.0.0.0/8,10.53.0.1/32")}.
		beside("10.53.0.1")
	for name, tc := range map[string]struct {
		by   Addresses
		to   string
		want []string // none: it isn't refused
	}{
		"another host":            {inCluster, "10.0.0.1:4646", nil},
		"of the internet":         {inCluster, "[2a00::1]:4646", nil},
		"the host itself":         {Addresses{}, "127.0.0.1:8081", []string{"127.0.0.1 is a loopback address", "--nomad-allowed-cidrs=127.0.0.1/32"}},
		"another of its":          {Addresses{}, "127.9.9.9:8081", []string{"loopback"}},
		"of IPv6":                 {Addresses{}, "[::1]:8081", []string{"::1 is a loopback", "=::1/128"}},
		"unspecified":             {Addresses{}, "0.0.0.0:8081", []string{"no other host's"}},
		"unspecified of IPv6":     {Addresses{}, "[::]:8081", []string{"no other host's"}},
		"nearly unspecified":      {Addresses{}, "0.1.2.3:8081", []string{"no other host's"}},
		"multicast":               {Addresses{}, "224.0.0.1:80", []string{"multicast"}},
		"multicast of IPv6":       {Addresses{}, "[ff02::1]:80", []string{"multicast"}},
		"broadcast":               {Addresses{}, "255.255.255.255:80", []string{"broadcast", "=255.255.255.255/32"}},
		"of IPv4 in an old way":   {inCluster, "[::10.0.0.1]:80", []string{"::a00:1 is ", "IPv4", "=::a00:1/128"}},
		"translated somehow":      {inCluster, "[64:ff9b:1:a35:0:100::]:80", []string{"IPv4", "=64:ff9b:1:a35:0:100::/128"}},
		"translated as by all":    {inCluster, "[64:ff9b::10.0.0.1]:80", nil},
		"a Service":               {inCluster, "10.53.7.7:80", []string{"10.53.7.7 is in 10.53.0.0/16", "--nomad-denied-cidrs", "--nomad-allowed-cidrs=10.53.7.7/32"}},
		"a Pod":                   {inCluster, "10.52.7.7:80", []string{"10.52.0.0/16"}},
		"a Service of IPv6":       {inCluster, "[fd00:53::7]:80", []string{"fd00:53::/112"}},
		"the API server":          {inCluster, "10.53.0.1:443", []string{"10.53.0.1:443 is that of the Kubernetes API server"}},
		"an allowed Service":      {allowing, "10.53.7.7:80", nil},
		"its neighbour":           {allowing, "10.53.7.8:80", []string{"10.53.7.8"}},
		"allowed loopback":        {allowing, "127.0.0.1:4646", nil},
		"never the API server":    {allowing, "10.53.0.1:443", []string{"API server"}},
		"its other ports, though": {allowing, "10.53.0.1:444", nil},
	} {
		err := tc.by.refuse(netip.MustParseAddrPort(tc.to))
		if (err == nil) != (tc.want == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, want := range tc.want {
			if !strings.Contains(err.Error(), want) || len(err.Error()) > 300 {
				t.Errorf("%s: %q lacks %q", name, err, want)
			}
		}
	}
}

func TestTheAPIServersAddress(t *testing.T) {
	for host, want := range map[string]string{
		"https://10.53.0.1:443": "10.53.0.1:443", "https://10.53.0.1": "10.53.0.1:443", "http://127.0.0.1": "127.0.0.1:80",
		"https://[fd00::1]:6443/k8s/clusters/local": "[fd00::1]:6443", "10.53.0.1:6443": "10.53.0.1:6443", "fd00::1": "",
		"https://harvester.example.com": "", "": "", "https://[::ffff:10.0.0.1]:6443": "10.0.0.1:6443", "https://%": "",
	} {
		got := Addresses{}.beside(host).apiServer
		if got.IsValid() != (want != "") || want != "" && got != netip.MustParseAddrPort(want) {
			t.Errorf("%s: %s", host, got)
		}
	}
}

func TestCIDRsThatAreNone(t *testing.T) {
	for _, text := range []string{"10.0.0.1", "10.0.0.0/33", "nomad.example.com", "10.0.0.0/8;10.1.0.0/16", "::ffff:10.0.0.0/104"} {
		if got, err := ParseCIDRs(text); err == nil || !strings.Contains(err.Error(), "10.53.0.0/16") {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	if got, err := ParseCIDRs(" "); err != nil || got != nil {
		t.Errorf("none: %v, %v", got, err)
	}
}
