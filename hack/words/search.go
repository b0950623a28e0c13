package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// finding is a retired word in a file.
type finding struct {
	file            string
	line            int
	text, word, use string
}

// word is one of a text or of a name, in lower case, and whether it follows the one before without a stop between them.
type word struct {
	text    string
	line    int
	follows bool
}

// search finds the retired words of a file.
func (l *list) search(file string, text []byte) ([]finding, error) {
	base := strings.TrimSuffix(path.Base(file), path.Ext(file))
	found := l.match(file, parts(base, 1), base, func(r retired) []string { return r.Names })
	if path.Ext(file) != ".go" {
		return append(found, l.prose(file, withoutCode(file, string(text)), 1)...), nil
	}
	files := token.NewFileSet()
	parsed, err := parser.ParseFile(files, file, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	if ast.IsGenerated(parsed) {
		return nil, nil
	}
	for _, id := range declared(parsed) {
		words := parts(id.Name, files.Position(id.Pos()).Line)
		forms := func(r retired) []string { return r.Names }
		if sentence.MatchString(id.Name) {
			forms = func(r retired) []string { return r.Prose }
		}
		found = append(found, l.match(file, words, id.Name, forms)...)
	}
	for _, group := range parsed.Comments {
		var lines []string
		for _, c := range group.List {
			lines = append(lines, c.Text)
		}
		found = append(found, l.prose(file, strings.Join(lines, "\n"), files.Position(group.Pos()).Line)...)
	}
	slices.SortStableFunc(found, func(a, b finding) int { return a.line - b.line })
	return found, nil
}

// declared are the names that a file declares: a name is mended there, and others' names aren't ours to mend.
func declared(file *ast.File) []*ast.Ident {
	names := []*ast.Ident{file.Name}
	add := func(exprs ...ast.Expr) {
		for _, e := range exprs {
			if id, ok := e.(*ast.Ident); ok {
				names = append(names, id)
			}
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncDecl:
			names = append(names, n.Name)
		case *ast.TypeSpec:
			names = append(names, n.Name)
		case *ast.ValueSpec:
			names = append(names, n.Names...)
		case *ast.Field:
			names = append(names, n.Names...)
		case *ast.LabeledStmt:
			names = append(names, n.Label)
		case *ast.ImportSpec:
			if n.Name != nil {
				names = append(names, n.Name)
			}
		case *ast.AssignStmt:
			if n.Tok == token.DEFINE {
				add(n.Lhs...)
			}
		case *ast.RangeStmt:
			if n.Tok == token.DEFINE {
				add(n.Key, n.Value)
			}
		}
		return true
	})
	return names
}

// parts are the words of a name, by its camel case, underscores and dashes.
func parts(name string, line int) []word {
	var words []word
	runes := []rune(name)
	start := 0
	end := func(i int) {
		if i > start {
			words = append(words, word{strings.ToLower(string(runes[start:i])), line, len(words) > 0})
		}
		start = i
	}
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r):
			end(i)
			start = i + 1
		case i > 0 && unicode.IsUpper(r) && (!unicode.IsUpper(runes[i-1]) ||
			i+1 < len(runes) && unicode.IsLower(runes[i+1])):
			end(i)
		}
	}
	end(len(runes))
	return words
}

var (
	// sentence matches the names of tests, which are sentences: a test may tell what it tells.
	sentence = regexp.MustCompile(`^(?:Test|Fuzz)[A-Z]`)
	// proseWord matches a word.
	proseWord = regexp.MustCompile(`[A-Za-z]+(?:['’][a-z]+)?`)
	// between matches what may be between two words of a phrase, such as the beginning of the next line of a comment.
	between = regexp.MustCompile(`^(?:[ \t]+|[ \t]*\n[ \t]*(?://+|#+|\*)?[ \t]*)$`)
	// notProse matches paths and addresses, code in a text, and names in camel case, which are checked where they are
	// declared.
	notProse = regexp.MustCompile("`[^`\n]*`|\\S*\\w[/_]\\w\\S*|\\w*[a-z][A-Z]\\w*")
	// codeBlock matches the indented blocks and the fenced ones of Markdown.
	codeBlock = regexp.MustCompile("(?ms)^```.*?^```|^(?: {4}|\\t)[^\n]*$")
)

// blank replaces each letter of what isn't to be read by a dot that is part of no word, and keeps the lines.
func blank(text string, what *regexp.Regexp) string {
	return what.ReplaceAllStringFunc(text, func(s string) string {
		return strings.Map(func(r rune) rune {
			if r == '\n' {
				return r
			}
			return '·'
		}, s)
	})
}

func withoutCode(file, text string) string {
	if path.Ext(file) == ".md" {
		return blank(text, codeBlock)
	}
	return text
}

// prose finds the retired words of a text that begins at a line.
func (l *list) prose(file, text string, line int) []finding {
	text = blank(text, notProse)
	var words []word
	last := 0
	for _, at := range proseWord.FindAllStringIndex(text, -1) {
		line += strings.Count(text[last:at[0]], "\n")
		words = append(words, word{strings.ToLower(text[at[0]:at[1]]), line, between.MatchString(text[last:at[0]])})
		last = at[1]
	}
	return l.match(file, words, "", func(r retired) []string { return r.Prose })
}

// match finds forms among words. whole is the name that they are the parts of, empty: they are of a text.
func (l *list) match(file string, words []word, whole string, forms func(retired) []string) []finding {
	var found []finding
	for _, r := range l.Retired {
		if slices.ContainsFunc(r.Except, func(e exception) bool { return e.covers(file) }) {
			continue
		}
		fine := map[int]bool{}
		for _, phrase := range r.Fine {
			for _, at := range places(words, phrase) {
				for i := range strings.Fields(phrase) {
					fine[at+i] = true
				}
			}
		}
		for _, form := range forms(r) {
			for _, at := range places(words, form) {
				if fine[at] {
					continue
				}
				text := form
				if whole != "" {
					text = whole
				}
				found = append(found, finding{file, words[at].line, text, r.Word, r.Use})
			}
		}
	}
	return found
}

// places are where a phrase begins.
func places(words []word, phrase string) []int {
	form := strings.Fields(phrase)
	var at []int
	for i := range words {
		if i+len(form) > len(words) {
			break
		}
		same := true
		for j, f := range form {
			same = same && words[i+j].text == f && (j == 0 || words[i+j].follows)
		}
		if same {
			at = append(at, i)
		}
	}
	return at
}
