package controllers

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// What docs/troubleshooting.md tells people to look for is what the controllers say.
func TestTroubleshootingNamesWhatIsSaid(t *testing.T) {
	text, err := os.ReadFile("../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	types := slices.Concat(v1alpha1.PoolConditions, v1alpha1.NodeConditions)
	reasons := stringsIn(t, "../api/v1alpha1/conditions.go")
	conditions := regexp.MustCompile("`([A-Z][A-Za-z]+)/([A-Z][A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	if len(conditions) < 40 {
		t.Errorf("only %d conditions found", len(conditions))
	}
	for _, c := range conditions {
		if !slices.Contains(types, c[1]) || !reasons[c[2]] {
			t.Errorf("no condition %s has the reason %s", c[1], c[2])
		}
	}
	said := stringsIn(t, "events.go")
	events := regexp.MustCompile("\\*\\*E\\*\\* `([A-Za-z]+)`").FindAllStringSubmatch(string(text), -1)
	if len(events) < 15 {
		t.Errorf("only %d events found", len(events))
	}
	for _, e := range events {
		if !said[e[1]] {
			t.Errorf("no event %s is sent", e[1])
		}
	}
}

// stringsIn are the string literals of a Go file.
func stringsIn(t *testing.T, file string) map[string]bool {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if l, ok := n.(*ast.BasicLit); ok && l.Kind == token.STRING {
			if s, err := strconv.Unquote(l.Value); err == nil {
				out[s] = true
			}
		}
		return true
	})
	return out
}
