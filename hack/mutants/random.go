package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
)

// Tests of properties draw what they try at random: one notices a mutant today and not tomorrow, and then takes half a
// minute to find the least that shows it. So mutants are left to the others, which say the same each time.

// drawing are the names of a package's tests that draw.
func drawing(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(dir, e.Name()), nil, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") && draws(f) {
				out = append(out, f.Name.Name)
			}
		}
	}
	return out, nil
}

// draws reports whether a test calls rapid.
func draws(f *ast.FuncDecl) bool {
	found := false
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			of, named := s.X.(*ast.Ident)
			found = found || named && of.Name == "rapid" && strings.HasSuffix(s.Sel.Name, "Check")
		}
		return !found
	})
	return found
}
