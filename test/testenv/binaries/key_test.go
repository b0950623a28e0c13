package binaries

import (
	"os"
	"path/filepath"
	"testing"
)

// sideModule writes files below a fresh directory and returns it.
func sideModule(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func sideTool(dir string) plan {
	return plan{recipe: recipe{pkg: "./cmd"}, tool: "cmd", release: "1.0.0", dir: dir}
}

func baseFiles() map[string]string {
	return map[string]string{"go.mod": "module x\n", "go.sum": "", "cmd/main.go": "package main\n",
		"other/main.go": "package main\n"}
}

func TestKeyChangesWithWhatGoesIntoTheProgram(t *testing.T) {
	key := func(change func(files map[string]string, p *plan)) string {
		files, p := baseFiles(), sideTool("")
		change(files, &p)
		p.dir = sideModule(t, files)
		key, err := p.key()
		if err != nil {
			t.Fatal(err)
		}
		return key
	}
	unchanged := key(func(map[string]string, *plan) {})

	for name, test := range map[string]struct {
		change func(files map[string]string, p *plan)
		same   bool
	}{
		"nothing, elsewhere": {func(map[string]string, *plan) {}, true},
		"a test of ours":     {func(f map[string]string, _ *plan) { f["cmd/main_test.go"] = "package main\n" }, true},
		"another package": {func(f map[string]string, _ *plan) { f["other/main.go"] = "package main // changed\n" },
			true},
		"a note beside the code": {func(f map[string]string, _ *plan) { f["cmd/README.md"] = "read me" }, true},
		"go.mod":                 {func(f map[string]string, _ *plan) { f["go.mod"] += "require y v1.0.0\n" }, false},
		"go.sum":                 {func(f map[string]string, _ *plan) { f["go.sum"] = "y v1.0.0 h1:\n" }, false},
		"our source": {func(f map[string]string, _ *plan) { f["cmd/main.go"] = "package main // changed\n" },
			false},
		"a source file more": {func(f map[string]string, _ *plan) { f["cmd/more.go"] = "package main\n" }, false},
		"a file renamed": {func(f map[string]string, _ *plan) {
			f["cmd/renamed.go"] = f["cmd/main.go"]
			delete(f, "cmd/main.go")
		}, false},
		"another go.mod": {func(f map[string]string, p *plan) {
			f["old.mod"], f["old.sum"], p.modfile = f["go.mod"], "",
				"old.mod"
		}, false},
		"tags":    {func(_ map[string]string, p *plan) { p.tags = "ui" }, false},
		"stamps":  {func(_ map[string]string, p *plan) { p.stamps = []string{"x.version"} }, false},
		"package": {func(_ map[string]string, p *plan) { p.pkg = "./other" }, false},
	} {
		t.Run(name, func(t *testing.T) {
			if got := key(test.change); (got == unchanged) != test.same {
				t.Errorf("key %s, unchanged %s, want same = %v", got, unchanged, test.same)
			}
		})
	}
}

func TestKeyNeedsBothModuleFiles(t *testing.T) {
	files := baseFiles()
	delete(files, "go.sum")
	if _, err := sideTool(sideModule(t, files)).key(); err == nil {
		t.Error("a side module without go.sum got a key")
	}
}

// Every recipe has to find its version in the committed side modules.
func TestEveryToolHasAPlan(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	shop := &workshop{root: root, cache: t.TempDir()}
	seen := map[string]bool{}
	for _, tool := range append(Environment(), Development()...) {
		if tool == Nomad { // has no recipe
			continue
		}
		p, err := shop.plan(tool)
		if err != nil {
			t.Errorf("%s: %v", tool, err)
			continue
		}
		if filepath.Base(p.path) != string(tool) || seen[p.path] {
			t.Errorf("%s: path %s", tool, p.path)
		}
		seen[p.path] = true
	}
	if len(seen) != len(recipes) {
		t.Errorf("%d tools listed, %d recipes", len(seen), len(recipes))
	}
}

func TestRequiredVersion(t *testing.T) {
	const goMod = `module x

replace example.org/a => example.org/a v0.0.1

require example.org/single v1.2.3

require (
	example.org/a v2.0.0-rc1
	example.org/ab v3.0.0 // indirect
)
`
	for module, want := range map[string]string{
		"example.org/single": "1.2.3",
		"example.org/a":      "2.0.0-rc1",
		"example.org/ab":     "3.0.0",
		"example.org/none":   "",
	} {
		got, err := requiredVersion(goMod, module)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s: got %q, %v; want %q", module, got, err, want)
		}
	}
}
