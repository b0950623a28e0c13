package canary_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/canary"
)

const (
	uuid  = "3f0c8a52-94d1-4b7e-8a60-5d2f1c9be7aa"
	token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsia3ViZSJdfQ.Qm9keU9mVGhlU2lnbmF0dXJlPz8_Pj4-"
)

func TestALeakIsFound(t *testing.T) {
	secrets, private := &canary.Set{}, privateKey(t, "EC PRIVATE KEY")
	other := privateKey(t, "PRIVATE KEY")
	for name, value := range map[string]string{"uuid": uuid, "token": token, "key": private, "other key": other} {
		if err := secrets.Add(name, value); err != nil {
			t.Fatal(err)
		}
	}
	std, url := base64.StdEncoding.EncodeToString, base64.URLEncoding.EncodeToString
	for name, c := range map[string]struct{ text, of string }{
		"itself":                  {`refused: X-Nomad-Token "` + uuid + `"`, "uuid"},
		"its beginning":           {"token 3f0c8a52-94d…", "uuid"},
		"at the very end":         {uuid[:12], "uuid"},
		"base64":                  {std([]byte(uuid)), "uuid"},
		"within base64":           {std([]byte(`{"t":"` + uuid + `"}`)), "uuid"},
		"within base64, one on":   {std([]byte(`{"tt":"` + uuid + `"}`)), "uuid"},
		"within base64, two on":   {url([]byte(`{"ttt":"` + uuid + `"}`)), "uuid"},
		"a header":                {"Authorization: Bearer " + token, "token"},
		"a key":                   {private, "key"},
		"a key on one line":       {strings.ReplaceAll(private, "\n", `\n`), "key"},
		"a key of a Secret":       {std([]byte(private)), "key"},
		"a key in PKCS #8":        {other, "other key"},
		"nothing but its head":    {"eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOlsia3ViZSJdfQ.", ""},
		"another key":             {privateKey(t, "EC PRIVATE KEY") + privateKey(t, "PRIVATE KEY"), ""},
		"less than its beginning": {"3f0c8a52-94", ""},
	} {
		t.Run(name, func(t *testing.T) {
			hits := secrets.Find("before " + c.text)
			for _, hit := range hits {
				if hit.Name != c.of {
					t.Errorf("%s of %s at %d", hit.As, hit.Name, hit.Offset)
				}
			}
			if (len(hits) == 0) != (c.of == "") {
				t.Errorf("%d hits", len(hits))
			}
		})
	}
}

func TestSecretsAreFoundInAText(t *testing.T) {
	secrets := &canary.Set{}
	text := "#cloud-config\nwrite_files:\n- content: " + token + "\n- content: |\n    " +
		strings.ReplaceAll(privateKey(t, "EC PRIVATE KEY"), "\n", "\n    ")
	if n := secrets.AddAllIn("cloud-init", text); n != 2 || secrets.Count() != 2 {
		t.Errorf("%d in the text, %d taken in", n, secrets.Count())
	}
	if len(secrets.Find(text)) != 2 {
		t.Errorf("not found where they come from: %+v", secrets.Find(text))
	}
	if err := secrets.Add("short", "hunter2"); err == nil {
		t.Error("a text that may be anywhere is taken for a secret")
	}
}

func TestALeakInAnObjectIsFound(t *testing.T) {
	secrets, seen := &canary.Set{}, &canary.Seen{}
	object := map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"why": "token " + uuid}},
		"spec":     map[string]any{"cloudInit": map[string]any{"userData": "password: " + uuid}},
		"status":   map[string]any{"conditions": []any{map[string]any{"message": "fine"}, map[string]any{uuid: 1}}},
	}
	if err := seen.Add("pool", object, "cloudInit"); err != nil {
		t.Fatal(err)
	}
	if err := secrets.Add("uuid", uuid); err != nil { // it may be known later than it is seen
		t.Fatal(err)
	}
	const of = ": its first 12 characters of uuid"
	got := strings.Join(seen.Leaks(secrets), "\n")
	if got != "pool.status.conditions[]"+of+"\npool.metadata.annotations.why"+of {
		t.Errorf("got:\n%s", got)
	}
}

func TestALeakInAFileIsFound(t *testing.T) {
	secrets := &canary.Set{}
	if err := secrets.Add("uuid", uuid); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "controller.log")
	if err := os.WriteFile(file, []byte("one\ntwo\nthree "+uuid+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	leaks, err := secrets.InFile(file)
	if err != nil || len(leaks) != 1 || leaks[0] != file+":3: its first 12 characters of uuid" {
		t.Errorf("%q, %v", leaks, err)
	}
	if _, err := secrets.InFile(file + ".missing"); err == nil {
		t.Error("a log that isn't there was searched")
	}
}

// privateKey is a new key in PEM, of that kind.
func privateKey(t *testing.T, kind string) string {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalECPrivateKey(private)
	if kind == "PRIVATE KEY" {
		der, err = x509.MarshalPKCS8PrivateKey(private)
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}
