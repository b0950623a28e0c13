package messages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Value is where a value is put into a text.
const Value = "\x00"

// Text is a text of the code: what stands between the values that are put in.
type Text []string

var verb = regexp.MustCompile(`%[-+#]?[0-9.]*[a-zA-Z]`)

// TextsIn are the texts of the code below a directory, but not of its tests.
func TextsIn(dir string) (all []Text, err error) {
	err = filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				if text := Constant(e); strings.Trim(text, Value) != "" {
					all = append(all, strings.Split(verb.ReplaceAllString(text, Value), Value))
				}
			}
			return true
		})
		return nil
	})
	return all, err
}

// Constant is what a literal, or a sum with literals, has for a text; whatever else is a Value.
func Constant(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); e.Kind == token.STRING && err == nil {
			return text
		}
	case *ast.BinaryExpr:
		if e.Op == token.ADD {
			return Constant(e.X) + Constant(e.Y)
		}
	case *ast.ParenExpr:
		return Constant(e.X)
	}
	return Value
}
