package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func mustReadList(t *testing.T) *list {
	t.Helper()
	l, err := readList()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestFindsRetiredWords(t *testing.T) {
	l := mustReadList(t)
	tests := map[string]struct {
		file, text string
		want       []string // of each finding: its line and what was found
	}{
		"a function": {"a.go", "package a\n\nfunc isRescuable() {}\n", []string{"3 isRescuable"}},
		"a package":  {"a.go", "package sweep\n", []string{"1 sweep"}},
		"a file":     {"kick_test.go", "package a\n", []string{"1 kick_test"}},
		"a field and a variable": {"a.go",
			"package a\n\ntype t struct{ HoldOut int }\n\nfunc f() { toldAll := 1; _ = toldAll }\n",
			[]string{"3 HoldOut", "5 toldAll"}},
		"an acronym before": {"a.go", "package a\n\nvar VMOurs int\n", []string{"3 VMOurs"}},
		"a comment":         {"a.go", "package a\n\n// It nudges the pool.\n", []string{"3 nudges"}},
		"over two lines":    {"a.go", "package a\n\n// A member is called\n// back.\n", []string{"3 called back"}},
		"docs":              {"docs/a.md", "# A\n\nThe patience of the sweeper.\n", []string{"3 patience", "3 sweeper"}},
		"config":            {"config/a.yaml", "# what Nomad needs to settle\na: b\n", []string{"1 settle"}},

		"part of a word": {"a.go", "package a\n\n// Kickstart, soldiers, holder.\nvar household, behold int\n",
			nil},
		"another's name": {"a.go",
			"package a\n\nimport \"k8s.io/client-go/tools/record\"\n\nvar R record.EventRecorder\n", nil},
		"a string":     {"a.go", "package a\n\nvar A = \"kick\"\n", nil},
		"code in docs": {"docs/a.md", "Run `make weather`:\n\n    make weather\n", nil},
		"a path":       {"docs/a.md", "See [it](test/weather/README.md).\n", nil},
		"a phrase in which it's ok": {"docs/a.md",
			"Virtual machines, whole machines, a VirtualMachine; `make world`. It is held to that.\n", nil},
		"a stop between": {"docs/a.md", "They are called. Back again.\n", nil},
		"an exception":   {"hack/world/main.go", "package a\n\n// The world.\n", nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := l.search(tt.file, []byte(tt.text))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, strings.TrimSpace(strings.Join([]string{string(rune('0' + f.line)), f.text}, " ")))
			}
			if strings.Join(got, ", ") != strings.Join(tt.want, ", ") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestSkips(t *testing.T) {
	l := mustReadList(t)
	for file, want := range map[string]bool{"CHANGELOG.md": false, "docs/adr/0001-a.md": false, "docs/concepts.md": true,
		"config/crd/bases/a.yaml": false, "internal/pool/plan.go": true, "go.sum": false, "Makefile": true} {
		if l.looksAt(file) != want {
			t.Errorf("%s: %t", file, !want)
		}
	}
}

// The command fails where there is a retired word, in a file that isn't committed, too.
func TestCommandFails(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command("git", "init", "-q", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(dir, "a.md"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	var out bytes.Buffer
	write("A kick.\n")
	if err := run(t.Context(), &out, false, false); err == nil ||
		!strings.Contains(out.String(), `a.md:1: "kick": use resend the drain`) {
		t.Errorf("it says %q, %v", out.String(), err)
	}
	out.Reset()
	if err := run(t.Context(), &out, true, false); err != nil || !strings.Contains(out.String(), "1 in all") {
		t.Errorf("it counts %q, %v", out.String(), err)
	}
	write("A drain that is sent again.\n")
	if err := run(t.Context(), &out, false, false); err != nil {
		t.Errorf("it says %q, %v", out.String(), err)
	}
}

// The glossary has the table of the list.
func TestGlossaryIsUpToDate(t *testing.T) {
	text, err := os.ReadFile("../../docs/glossary.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(text), mustReadList(t).table()) {
		t.Error("docs/glossary.md is out of date: put the output of go run ./hack/words -glossary into it")
	}
}
