package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A repository that says two things of pools.
const code = `package api

const (
	ready, halted, joined = "Ready", "VMStopped", "Joined"
	says = "The VM of member %s is halted. Start it."
	tells = "The node has joined Nomad."
)
`

func repository(t *testing.T, documented string) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{
		"api/says.go": code, "controllers/doc.go": "package controllers", "internal/doc.go": "package internal",
		"docs/messages.txt": documented,
	} {
		name = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func file(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "said.txt")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

const (
	halted = "pool Ready/VMStopped False: The VM of member a-5x7zk is halted. Start it.\n"
	joined = "pool Event Joined: The node has joined Nomad.\n"
	gone   = "pool Event Joined: The node has come to Nomad.\n"
	other  = "pool Ready/VMStopped False: The VM of member b-2v4wz is halted. Start it.\n"
)

func TestWhatIsLackingIsNamedWithTheCommand(t *testing.T) {
	for name, tc := range map[string]struct {
		documented, said, lacks string
		fails                   bool
	}{
		"nothing":          {halted + joined, other, "", false},
		"a reason":         {halted, joined + other, `"pool Event Joined"`, true},
		"another wording":  {gone, joined, `"The node has joined Nomad."`, false},
		"nothing was said": {halted, "", "", false},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			err := run(&out, repository(t, tc.documented), file(t, tc.said), false)
			told := out.String()
			if err != nil {
				told += err.Error()
			}
			if (err != nil) != tc.fails || strings.Contains(told, "make messages") != (tc.lacks != "") ||
				!strings.Contains(told, "lacks "+tc.lacks) && tc.lacks != "" {
				t.Errorf("%q, %v", out.String(), err)
			}
		})
	}
}

// What was said is added, what no code says is taken out, and all else stays as it is.
func TestAdd(t *testing.T) {
	root := repository(t, gone+halted)
	var out strings.Builder
	sameShape := "pool Ready/VMStopped False: The VM of member a-2v4wz is halted. Start it.\n"
	if err := run(&out, root, file(t, joined+sameShape), true); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(root, "docs", "messages.txt"))
	if err != nil || string(got) != joined+halted {
		t.Errorf("got %s (%v)", got, err)
	}
	if !strings.Contains(out.String(), "taken out, as no code says it: "+gone) {
		t.Errorf("got %q", out.String())
	}
}

func TestWithoutATestRunItSaysWhatToRun(t *testing.T) {
	err := run(&strings.Builder{}, repository(t, ""), filepath.Join(t.TempDir(), "none.txt"), false)
	if err == nil || !strings.Contains(err.Error(), "make test") {
		t.Errorf("got %v", err)
	}
}

// `make test` records where this command looks, and runs it.
func TestMakeTestRecordsAndCompares(t *testing.T) {
	text, err := os.ReadFile("../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	_, recipe, _ := strings.Cut(string(text), "\ntest: ")
	recipe, _, _ = strings.Cut(recipe, "\n\n")
	for part, in := range map[string]string{
		"go run ./hack/messages #":      recipe,
		"BUILT := $(CURDIR)/bin/test\n": string(text),
		"SAID := $(BUILT)/messages.txt\n$(CHAINS): export NOMAD_HARVESTER_RECORD := $(SAID)\n": string(text),
	} {
		if !strings.Contains(in, part) {
			t.Errorf("the Makefile lacks %q", part)
		}
	}
}
