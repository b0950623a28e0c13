package nomadtarget

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation"
)

// targetKey matches a line of a policy or of the agent's configuration that sets a key.
var targetKey = regexp.MustCompile(`(?m)^\s*#?\s*"?([\w-]+)"?\s*=\s*"?([^"\n]*)"?$`)

// What a policy's target block may hold names one pool by names that Kubernetes has, or is refused; the time that a
// Status may take is never more than a call's.
func FuzzPolicyKeys(f *testing.F) {
	files, err := filepath.Glob("../../config/autoscaler/*.hcl")
	if err != nil || len(files) == 0 {
		f.Fatalf("no examples: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		for _, set := range targetKey.FindAllStringSubmatch(string(text), -1) {
			f.Add(set[1], set[2], "nomad-clients", "10s")
		}
	}
	f.Add("name", " workers\n", "", "-1s")
	f.Add("node_group_name", strings.Repeat("a", 300), "kube system", "9223372036854775807ns")
	f.Add("0", "0", "0", "1222222210s")
	f.Fuzz(func(t *testing.T, key, value, namespace, timeout string) {
		config := map[string]string{keyNamespace: namespace, keyGRPCTimeout: timeout, key: value}
		if limit := statusTimeout(config); limit < 0 || limit > callTimeout {
			t.Errorf("a Status may take %s", limit)
		}
		ref, err := poolOf(config)
		if err != nil {
			return
		}
		if validation.IsDNS1123Subdomain(ref.Name) != nil || validation.IsDNS1123Label(ref.Namespace) != nil {
			t.Errorf("%q can't be a pool's name", ref)
		}
		if again, err := poolOf(map[string]string{keyPool: ref.Name, keyNamespace: ref.Namespace}); err != nil ||
			again != ref {
			t.Errorf("%v is read as %v, %v", ref, again, err)
		}
	})
}

// What the agent's target block may hold leads to a server by HTTPS or is refused, and no error repeats a token.
func FuzzConnection(f *testing.F) {
	f.Add("https://harvester.example.com", "s3cretsecretsecret", "", "")
	f.Add("https://rancher.example.com/k8s/clusters/c-abcde", "s3cretsecretsecret\n", "", "")
	f.Add("http://user:password@harvester.example.com", "s3cretsecret secret", "/var/run/token", "/etc/ssl/ca.crt")
	f.Add("https://[::1", "", "", "")
	f.Fuzz(func(t *testing.T, address, token, tokenFile, ca string) {
		// Nothing outside the test's own directory is read.
		inside := func(name string) string {
			if name == "" {
				return ""
			}
			return filepath.Join(t.TempDir(), "missing")
		}
		config := map[string]string{settingURL.key: address, settingToken.key: token,
			settingTokenFile.key: inside(tokenFile), settingCA.key: inside(ca)}
		c, err := resolveConnection(config, func(string) string { return "" })
		secret := strings.TrimSpace(token)
		switch {
		case err == nil && !strings.HasPrefix(strings.ToLower(c.rest.Host), "https://"):
			t.Errorf("leads to %q", c.rest.Host)
		case err != nil && len(secret) > 12 && !strings.Contains(address, secret) && strings.Contains(err.Error(), secret):
			t.Errorf("%v repeats a token", err)
		}
	})
}
