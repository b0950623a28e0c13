package main

import (
	"archive/zip"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/mod/module"
)

const busl = `Business Source License 1.1

Parameters
Licensor: Somebody, Inc.
Licensed Work: The Work
`

// repository is a root with one go.mod, and a module cache with what it requires.
func repository(t *testing.T, file, requires string, cached map[string]string) (root, cache string) {
	t.Helper()
	root, cache = t.TempDir(), t.TempDir()
	write(t, filepath.Join(root, "tools", file), "module example.com/x\n\ngo 1.26.0\n\nrequire "+requires+"\n")
	for name, text := range cached {
		write(t, filepath.Join(cache, name), text)
	}
	return root, cache
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func ourRules(t *testing.T) *rules {
	t.Helper()
	r, err := readRules()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Each of these has to be found, wherever it is required.
func TestCheckRefuses(t *testing.T) {
	apache, err := os.ReadFile("../../LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		file, requires, says string
		cached               map[string]string
	}{
		"a denied module": {"go.mod", "github.com/hashicorp/nomad v1.11.3",
			"is denied: Business Source License since 1.7.0", nil},
		"a denied one, indirectly": {"v1.5.mod", "github.com/hashicorp/vault v1.15.0 // indirect", "is denied", nil},
		"a BUSL module": {"go.mod", "example.com/busl v1.0.0", `speaks of a "Business Source License"`,
			map[string]string{"example.com/busl@v1.0.0/LICENSE": busl}},
		"words after an open one": {"go.mod", "example.com/a v1.0.0", "Commons Clause",
			map[string]string{"example.com/a@v1.0.0/LICENSE": string(apache) + "\nCommons Clause condition\n"}},
		"no licence": {"go.mod", "example.com/none v1.0.0", "has no licence file",
			map[string]string{"example.com/none@v1.0.0/a.go": "package a"}},
		"a licence of its own": {"go.mod", "example.com/own v1.0.0", "text of no licence that the scanner knows",
			map[string]string{"example.com/own@v1.0.0/LICENSE": "You may look at it on Sundays."}},
	} {
		t.Run(name, func(t *testing.T) {
			root, cache := repository(t, tt.file, tt.requires, tt.cached)
			err := check(io.Discard, root, []string{t.TempDir(), cache}, ourRules(t))
			if err == nil || !strings.Contains(err.Error(), tt.says) ||
				!strings.Contains(err.Error(), "required by tools/"+tt.file) {
				t.Errorf("got %v, want %q", err, tt.says)
			}
		})
	}
	root, cache := repository(t, "go.mod", "example.com/good v1.0.0",
		map[string]string{"example.com/good@v1.0.0/LICENSE": string(apache)})
	if err := check(io.Discard, root, []string{t.TempDir(), cache}, ourRules(t)); err != nil {
		t.Errorf("a good one: %v", err)
	}
}

// The side modules' cache holds modules as they were downloaded.
func TestPackedModulesAreRead(t *testing.T) {
	root, cache := repository(t, "go.mod", "example.com/busl v1.0.0", nil)
	var packed bytes.Buffer
	writer := zip.NewWriter(&packed)
	file, err := writer.Create("example.com/busl@v1.0.0/LICENSE")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := file.Write([]byte(busl)); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(cache, "cache/download/example.com/busl/@v/v1.0.0.zip"), packed.String())
	if err := check(io.Discard, root, []string{t.TempDir(), cache}, ourRules(t)); err == nil ||
		!strings.Contains(err.Error(), "Business Source License") {
		t.Errorf("got %v", err)
	}
}

func TestDeniedFrom(t *testing.T) {
	for version, denied := range map[string]bool{"v1.14.9": false, "v1.15.0": true, "v2.0.0": true} {
		if err := ourRules(t).denied(module.Version{Path: "github.com/hashicorp/vault",
			Version: version}); (err != nil) != denied {
			t.Errorf("%s: %v", version, err)
		}
	}
	if err := ourRules(t).denied(module.Version{Path: "github.com/hashicorp/nomad/api", Version: "v0.0.0"}); err != nil {
		t.Error(err)
	}
}

// NOTICE is of what the binary contains now.
func TestNoticeIsUpToDate(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	want, err := noticeOf(t.Context(), root, ourRules(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "NOTICE"))
	if err != nil || string(got) != want {
		t.Errorf("NOTICE isn't what the binary contains (%v); write it with: go run ./hack/licences -notice", err)
	}
	for _, module := range []string{"github.com/hashicorp/nomad/api ", "github.com/hashicorp/go-plugin "} {
		if !strings.Contains(want[strings.Index(want, "MPL-2.0 the source"):], module) {
			t.Errorf("%s isn't among those of which the source is named", module)
		}
	}
}
