package kube

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestClampKeepsWholeCharacters(t *testing.T) {
	for text, want := range map[string]string{
		"short": "short", "exactly 10": "exactly 10", "more than ten": "more th…", "äöüäöüäöü": "äöü…", "a\xffb": "a\uFFFDb",
	} {
		if got := Clamp(text, 10); got != want || !utf8.ValidString(got) {
			t.Errorf("%q of %q", got, text)
		}
	}
}

// No condition is written past SetCondition.
func TestConditionsAreSetInOnePlace(t *testing.T) {
	files, err := filepath.Glob("../*/*.go")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if file != "../kube/clamp.go" && file != "../kube/clamp_test.go" &&
			strings.Contains(string(text), "meta.SetStatusCondition(") &&
			!strings.HasSuffix(file, "_test.go") {
			t.Errorf("%s sets a condition itself", file)
		}
	}
}
