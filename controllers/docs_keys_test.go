package controllers

import (
	"os"
	"strings"
	"testing"
)

// docs/concepts.md explains every label and annotation.
func TestConceptsExplainEveryKey(t *testing.T) {
	text, err := os.ReadFile("../docs/concepts.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for key := range stringsIn(t, "../api/v1alpha1/keys.go") {
		if !strings.HasPrefix(key, "nomad.harvesterhci.io/") {
			continue
		}
		found++
		if !strings.Contains(string(text), "`"+key+"`") {
			t.Errorf("nothing is said of %s", key)
		}
	}
	if found < 10 {
		t.Errorf("only %d keys found", found)
	}
}
