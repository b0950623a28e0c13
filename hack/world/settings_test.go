package main

import (
	"os"
	"regexp"
	"slices"
	"testing"
)

// `make help` lists all settings that a world reads, and no others.
func TestSettingsAreInMakeHelp(t *testing.T) {
	var are []string
	for _, file := range []string{"main.go", "product.go"} {
		are = append(are, found(t, file, `(?:Getenv|isYes)\("([A-Z]+)"\)`)...)
	}
	said := found(t, "../../Makefile", `(?m)^\t'  ([A-Z]+)=`)
	slices.Sort(are)
	slices.Sort(said)
	if are = slices.Compact(are); len(are) < 5 || !slices.Equal(are, said) {
		t.Errorf("read %q, told %q", are, said)
	}
}

// found are the first groups of a pattern's matches in a file.
func found(t *testing.T, file, pattern string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, m := range regexp.MustCompile(pattern).FindAllSubmatch(text, -1) {
		out = append(out, string(m[1]))
	}
	return out
}
