package jsonmerge

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/yaml"
)

// samples are the objects of config/samples, as JSON.
func samples(f *testing.F) []string {
	f.Helper()
	files, err := filepath.Glob("../../config/samples/*.yaml")
	if err != nil || len(files) == 0 {
		f.Fatalf("no samples: %v", err)
	}
	var docs []string
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		doc, err := yaml.YAMLToJSON(text)
		if err != nil {
			f.Fatal(err)
		}
		docs = append(docs, string(doc))
	}
	return docs
}

// Whatever is laid over whatever: a second time changes nothing, neither document is altered, no key is null that
// wasn't null in base, and the result isn't longer than both.
func FuzzApply(f *testing.F) {
	for _, base := range samples(f) {
		f.Add(base, `{"spec":{"template":{"disks":[{"name":"root","size":"50Gi"},{"name":"more"}],"sshKeys":null}}}`)
		f.Add(`{}`, base)
	}
	f.Add(`{"a":[{"name":"x"},{"name":"x"}]}`, `{"a":[{"name":"x","b":null},{"name":"x","b":{"c":null}}]}`)
	f.Add(`{}`, `{"a":[{"name":"x","b":1},{"name":"x"}]}`)
	f.Fuzz(func(t *testing.T, baseDoc, overDoc string) {
		base, baseErr := Object([]byte(baseDoc))
		over, overErr := Object([]byte(overDoc))
		if baseErr != nil || overErr != nil {
			return
		}
		before := written(t, base) + written(t, over)
		once := Apply(base, over)
		if diff := cmp.Diff(once, Apply(once, over)); diff != "" {
			t.Errorf("a second time changes more (-once +twice):\n%s", diff)
		}
		if written(t, base)+written(t, over) != before {
			t.Error("an input was changed")
		}
		if path := nullIn(once); path != "" && nullIn(base) == "" {
			t.Errorf("%s is null in %v", path, once)
		}
		if is := len(written(t, once)); is > len(before)+len(`{}`) {
			t.Errorf("%d bytes of %d", is, len(before))
		}
	})
}

// Stacking the same document a second time changes nothing, alters neither document, and makes none longer than both.
func FuzzStack(f *testing.F) {
	for _, doc := range samples(f) {
		f.Add(doc, `{"spec":{"replicas":3}}`)
	}
	f.Add(`{}`, `{"a":[{"name":"x","b":1},{"name":"x","c":[{"name":"y"},{"name":"y","b":null}]}]}`)
	f.Fuzz(func(t *testing.T, underDoc, overDoc string) {
		under, underErr := Object([]byte(underDoc))
		over, overErr := Object([]byte(overDoc))
		if underErr != nil || overErr != nil || nullIn(under) != "" {
			return
		}
		before := written(t, under) + written(t, over)
		stacked := Stack(under, over)
		if written(t, under)+written(t, over) != before {
			t.Error("an input was changed")
		}
		if diff := cmp.Diff(stacked, Stack(stacked, over)); diff != "" {
			t.Errorf("a second time changes more (-once +twice):\n%s", diff)
		}
		if is := len(written(t, stacked)); is > len(before)+len(`{}`) {
			t.Errorf("%d bytes of %d", is, len(before))
		}
	})
}

func written(t *testing.T, v any) string {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
