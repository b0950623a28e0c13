package cloudinit

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2/hclparse"
	yamlnodes "go.yaml.in/yaml/v3"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

// sampleUserData is the user data of the pools in config/samples.
func sampleUserData(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var texts []string
	for _, file := range files {
		sample, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var pool v1alpha1.NomadNodePool
		if err := yaml.Unmarshal(sample, &pool); err != nil {
			f.Fatalf("%s: %v", file, err)
		}
		if text := pool.Spec.Template.CloudInit.UserData; text != "" {
			texts = append(texts, text)
		}
	}
	if len(texts) == 0 {
		f.Fatal("no sample has user data")
	}
	return texts
}

// A document that is read is written, read again, and means the same; one that isn't is refused with few words.
func FuzzYAML(f *testing.F) {
	for _, doc := range append(sampleUserData(f), cloudinittest.AwkwardDocuments()[:1200]...) {
		f.Add(doc)
	}
	f.Fuzz(func(t *testing.T, doc string) {
		root, err := parseYAMLMapping(doc)
		if err != nil {
			if len(err.Error()) > 1000 {
				t.Errorf("an error of %d bytes: %v", len(err.Error()), err)
			}
			return
		}
		once, err := writeYAML(root)
		if err != nil {
			t.Fatalf("read, but not written: %v", err)
		}
		again, err := parseYAMLMapping(once)
		if err != nil {
			t.Fatalf("written, but not read: %v\n%s", err, once)
		}
		if !sameMeaning(root, again) {
			twice, _ := writeYAML(again)
			t.Errorf("read and written it means something else:\n%s\n%s", once, twice)
		}
	})
}

// sameMeaning compares what is written, not how it is quoted, which TestYAMLMeansTheSame has cloud-init itself judge.
func sameMeaning(a, b *yamlnodes.Node) bool {
	if a.Kind != b.Kind || a.Value != b.Value || len(a.Content) != len(b.Content) {
		return false
	}
	for i := range a.Content {
		if !sameMeaning(a.Content[i], b.Content[i]) {
			return false
		}
	}
	return true
}

// User data that is accepted makes a Secret, which is not longer than is said before, and in which Nomad's own
// configuration is the first file.
func FuzzUserData(f *testing.F) {
	for _, text := range sampleUserData(f) {
		f.Add(text)
	}
	for _, doc := range cloudinittest.AwkwardDocuments()[:300] {
		f.Add("#cloud-config\n" + doc)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, facts := blueprinttest.Member(), blueprinttest.Facts()
		m.Template.CloudInit.UserData = text
		if err := CheckUserData(facts.From, text, m.Client.Install); err != nil {
			return
		}
		secret, err := Secret(m, facts)
		if err != nil {
			t.Fatalf("accepted, but not rendered: %v", err)
		}
		is := 0
		for _, value := range secret.Data {
			is += len(value)
		}
		if atMost := AtMost(m, facts); is > atMost {
			t.Errorf("%d bytes, said to be %d at most", is, atMost)
		}
		root, err := parseYAMLMapping(string(secret.Data[UserDataKey]))
		if err != nil {
			t.Fatalf("rendered, but not read: %v", err)
		}
		files := itemsOf(valueOf(root, "write_files"))
		if len(files) == 0 || !strings.HasPrefix(pathOf(files[0]), "/opt/nomad/") &&
			!strings.HasPrefix(pathOf(files[0]), "/etc/nomad.d/") {
			t.Errorf("the first of %d files isn't Nomad's", len(files))
		}
	})
}

// Whatever text a pool holds, it is in Nomad's configuration as it is, and HCL 1 and HCL 2 can read that.
func FuzzNomadConfig(f *testing.F) {
	for _, text := range []string{"dc1", "big", "10.0.0.10:4647", "nomad-1.lan.example", `${attr.x}`, `$${`, `%{ if true }`,
		"a\nb", `"`, `\`, "}", "# no comment", "ä€😀", "\u0000", "\ufeff", "\U000f0000", `\u0041`} {
		f.Add(text, text)
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return // JSON, and so the API server, has none
		}
		m := blueprinttest.Member()
		m.Client.Meta = map[string]string{"k" + key: value}
		m.Client.NodeClass, m.Client.Datacenter, m.Client.Servers = "c"+value, "d"+key, []string{"s" + value}
		checkNomadConfig(t, m)
	})
}

func checkNomadConfig(t *testing.T, m blueprint.Member) {
	t.Helper()
	config := nomadConfig(m)
	got := parsed(t, config)
	if diff := cmp.Diff(nomadMeta(m), got.Client.Meta); diff != "" {
		t.Errorf("meta (-want +got):\n%s\n%s", diff, config)
	}
	is := []string{got.Client.NodeClass, got.Datacenter, got.Client.ServerJoin.RetryJoin[0]}
	if diff := cmp.Diff([]string{m.Client.NodeClass, m.Client.Datacenter, m.Client.Servers[0]}, is); diff != "" {
		t.Errorf("class, data center, server (-want +got):\n%s\n%s", diff, config)
	}
	if _, diags := hclparse.NewParser().ParseHCL([]byte(config), "nomad.hcl"); diags.HasErrors() {
		t.Errorf("HCL 2 can't read it: %v\n%s", diags, config)
	}
}
