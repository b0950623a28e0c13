package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// planted makes a repository that requires one module, and a module cache with that module and the licence file given.
func planted(t *testing.T, module, file, text string) (root, cache string) {
	t.Helper()
	root, cache = t.TempDir(), t.TempDir()
	write(t, filepath.Join(root, "go.mod"), "module example.com/ours\n\ngo 1.26\n")
	write(t, filepath.Join(root, "tools", "side", "old.mod"), "module example.com/side\n\ngo 1.26\n\nrequire "+module+" // indirect\n")
	dir := filepath.Join(cache, strings.Replace(module, " ", "@", 1))
	write(t, filepath.Join(dir, "code.go"), "package code\n")
	if file != "" {
		write(t, filepath.Join(dir, file), text)
	}
	return root, cache
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestModulesThatAreNotOpenSourceAreRefused(t *testing.T) {
	rules, err := readRules()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(filepath.Join("..", "..", "LICENSE"))
	if err != nil {
		t.Fatal(err)
	}
	apache := string(content)
	const busl = "License text copyright (c) 2020 MariaDB Corporation Ab.\n\nBusiness Source License 1.1\n\nTerms\n\n" +
		"The Licensor hereby grants you the right to copy, modify, create derivative works, redistribute, and make non-production use of the Licensed Work.\n"
	for _, c := range []struct{ name, module, file, text, want string }{
		{"BUSL", "example.com/planted v1.0.0", "LICENSE", busl, "may not be under an open-source licence"},
		{"open with a clause that takes it back", "example.com/planted v1.0.0", "LICENSE.md", "Commons Clause\n\n" + apache, "Commons Clause"},
		{"words of their own", "example.com/planted v1.0.0", "LICENSE", "All rights reserved. You may look at it.\n", "no licence that the scanner knows"},
		{"none", "example.com/planted v1.0.0", "", "", "has no licence file"},
		{"denied whatever it says", "github.com/hashicorp/nomad v1.6.0", "LICENSE", apache, "is denied"},
		{"denied from a version on", "github.com/hashicorp/vault v1.15.0", "LICENSE", apache, "is denied"},
		{"open", "example.com/planted v1.0.0", "LICENSE", apache, ""},
		{"before the version that is denied", "github.com/hashicorp/vault v1.14.0", "LICENSE", apache, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			root, cache := planted(t, c.module, c.file, c.text)
			err := check(&bytes.Buffer{}, root, cache, rules)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "tools/side/old.mod") {
				t.Fatalf("got %v, want an error with %q that names the file", err, c.want)
			}
		})
	}
}

func TestDeniedModuleIsRefusedWithoutBeingDownloaded(t *testing.T) {
	rules, err := readRules()
	if err != nil {
		t.Fatal(err)
	}
	root, _ := planted(t, "github.com/hashicorp/nomad v1.11.3", "", "")
	if err := check(&bytes.Buffer{}, root, t.TempDir(), rules); err == nil || !strings.Contains(err.Error(), "is denied") {
		t.Fatalf("got %v", err)
	}
}

func TestWhatWasNotLookedAtIsCounted(t *testing.T) {
	rules, err := readRules()
	if err != nil {
		t.Fatal(err)
	}
	root, _ := planted(t, "example.com/planted v1.0.0", "", "")
	out := &bytes.Buffer{}
	if err := check(out, root, t.TempDir(), rules); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), "not looked at: 1") {
		t.Fatalf("said %q", out)
	}
}

func TestNoticeNamesWhatTheBinaryContains(t *testing.T) {
	rules, err := readRules()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join("..", "..")
	want, err := noticeOf(t.Context(), root, rules)
	if err != nil {
		t.Fatal(err)
	}
	have, err := os.ReadFile(filepath.Join(root, "NOTICE"))
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != want {
		t.Fatal("NOTICE isn't what the binary contains; run: go run ./hack/licences -notice")
	}
}
