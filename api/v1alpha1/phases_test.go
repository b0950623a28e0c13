package v1alpha1

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// A phase that the kind doesn't allow would keep the whole status from being written.
func TestEachPhaseIsAllowed(t *testing.T) {
	text, err := os.ReadFile("nomadnode_types.go")
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`validation:Enum=(\S+)\ntype NodePhase`).FindSubmatch(text)
	if allowed == nil {
		t.Fatal("no values of NodePhase were found")
	}
	var phases []string
	for _, c := range regexp.MustCompile(`NodePhase = "(\w+)"`).FindAllSubmatch(text, -1) {
		phases = append(phases, string(c[1]))
	}
	if want := strings.Split(string(allowed[1]), ";"); !slices.Equal(phases, want) {
		t.Errorf("the phases are %q, and allowed are %q", phases, want)
	}
}
