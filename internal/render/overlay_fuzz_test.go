package render_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
)

// overlays are those of config/samples, and some that change what the samples don't.
func overlays(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	var docs []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		var p v1alpha1.NomadNodePool
		if err := yaml.Unmarshal(text, &p); err != nil {
			f.Fatalf("%s: %v", file, err)
		}
		if over := p.Spec.Template.VirtualMachine; over != nil {
			docs = append(docs, string(over.Raw))
		}
	}
	if len(docs) == 0 {
		f.Fatal("no sample has an overlay")
	}
	return append(docs, `{"template":{"spec":{"domain":{"cpu":{"model":"host-passthrough"},"devices":{"tpm":{}}}}}}`,
		`{"template":{"spec":{"domain":{"devices":{"disks":[{"name":"root","cache":"none"},{"name":"more"}]}},"volumes":[{"name":"more","emptyDisk":{"capacity":"1Gi"}}]}}}`,
		`{"template":{"metadata":{"annotations":{"a":"b"},"labels":null},"spec":{"affinity":{"nodeAffinity":{}},"evictionStrategy":null}}}`,
		`{"runStrategy":"Halted","template":null}`, `{"template":{"spec":{"networks":[],"domain":{"devices":{"interfaces":null}}}}}`)
}

// Whatever an overlay holds: it is refused in words of a bounded length, or the member is what Harvester wants, and the
// same each time.
func FuzzOverlay(f *testing.F) {
	for _, doc := range overlays(f) {
		f.Add([]byte(doc))
	}
	f.Fuzz(func(t *testing.T, doc []byte) {
		if !json.Valid(doc) {
			return // the API server takes none
		}
		m := blueprinttest.Member()
		m.Template.VirtualMachine = &runtime.RawExtension{Raw: doc}
		once, err := render.Member(m, blueprinttest.Facts())
		var invalid *render.InvalidError
		if errors.As(err, &invalid) {
			return
		}
		if err != nil {
			t.Fatalf("pre-flight finds nothing, and rendering fails: %v", err)
		}
		for demand, wrong := range wrongs(m, once, isFixed) {
			if isFixed(demand) {
				t.Errorf("%s: %s", demand, wrong)
			}
		}
		again, err := render.Member(m, blueprinttest.Facts())
		if err != nil || !bytes.Equal(asJSON(t, once.VM), asJSON(t, again.VM)) {
			t.Errorf("another VM the second time, %v", err)
		}
	})
}

func asJSON(t *testing.T, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
