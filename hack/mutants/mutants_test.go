package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestMarkedOperator(t *testing.T) {
	for line, want := range map[string]string{
		"\tif a @<= b {": "if a «<=» b {", "\tn@++": "n «++»", "\t\t@continue": "«continue»",
		"\tx := a @&& !b": "x := a «&&» !b", "\treturn @-a": "return «-» a",
	} {
		at := strings.Index(line, "@")
		if got := marked(strings.Replace(line, "@", "", 1), at); got != want {
			t.Errorf("%s: got %q, want %q", line, got, want)
		}
	}
}

func TestWhatSurvives(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(filepath.Join(root, "internal/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "internal/x/x.go"), []byte("package x\n\nvar a = b > c\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for status, survives := range map[string]bool{
		"KILLED": false, "NOT VIABLE": false, "LIVED": true, "NOT COVERED": true, "TIMED OUT": true, "SKIPPED": true,
	} {
		r := report{}
		r.Files = append(r.Files, struct {
			Name      string   `json:"file_name"`
			Mutations []mutant `json:"mutations"`
		}{"x.go", []mutant{{Type: "CONDITIONALS_BOUNDARY", Status: status, Line: 3, Column: 11}}})
		left, err := r.survivors(root, "internal/x")
		if err != nil || (len(left) == 1) != survives {
			t.Errorf("%s: %v, %v", status, left, err)
		}
		if survives && left[0].Code != "var a = b «>» c" {
			t.Errorf("%s: %+v", status, left[0])
		}
	}
}

func TestSurvivorsAreHeldToTheList(t *testing.T) {
	s := func(code string) survivor {
		return survivor{File: "internal/x/x.go", Mutation: "INVERT_LOGICAL", Code: code}
	}
	other := survivor{File: "internal/y/y.go", Mutation: "INVERT_LOGICAL", Code: "a"}
	for name, c := range map[string]struct {
		left, listed []survivor
		wrong        string
	}{
		"none":                    {},
		"listed":                  {left: []survivor{s("a")}, listed: []survivor{s("a")}},
		"listed, and there twice": {left: []survivor{s("a"), s("a")}, listed: []survivor{s("a")}},
		"not listed":              {left: []survivor{s("a"), s("b")}, listed: []survivor{s("a")}, wrong: `code: "b"`},
		"noticed, or gone":        {left: []survivor{s("a")}, listed: []survivor{s("a"), s("b")}, wrong: `"b" is noticed`},
		"of another package":      {listed: []survivor{other}},
	} {
		var text []string
		for _, err := range compare("internal/x", c.left, c.listed) {
			text = append(text, err.Error())
		}
		if (len(text) == 1) != (c.wrong != "") || !strings.Contains(strings.Join(text, ""), c.wrong) {
			t.Errorf("%s: %q, want %q", name, text, c.wrong)
		}
	}
}

// To run all mutants takes minutes; that code was changed beside which the list stands shows at once.
func TestListedCodeIsThere(t *testing.T) {
	listed, err := readList()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[identity]bool{}
	for _, s := range listed {
		text, err := os.ReadFile(filepath.Join("../..", s.File))
		if err != nil {
			t.Fatal(err)
		}
		if seen[s.identity()] {
			t.Errorf("%s: %q is listed twice", s.File, s.Code)
		}
		seen[s.identity()] = true
		found := false
		for line := range strings.Lines(string(text)) {
			for at := range line {
				found = found || operator.MatchString(line[at:]) && marked(strings.TrimRight(line, "\n"), at) == s.Code
			}
		}
		if !found {
			t.Errorf("%s has no line %q any more", s.File, s.Code)
		}
	}
}

// Go's coverage has no place for the conditions of cases.
func TestEverythingIsReached(t *testing.T) {
	got := allReached("mode: set\nexample.org/a/a.go:3.1,4.2 1 0\nexample.org/a/a.go:5.1,6.2 1 1\nexample.org/a/b.go:1.1,2.2 1 0\n")
	want := "mode: set\nexample.org/a/a.go:1.1,1000000.1 1 1\nexample.org/a/b.go:1.1,1000000.1 1 1\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTestsThatDrawAreFound(t *testing.T) {
	dir := t.TempDir()
	source := `package x

func TestTable(t *testing.T) { _ = rapid.Int() }
func TestProperty(t *testing.T) { rapid.Check(t, func(t *rapid.T) {}) }
func TestSome(t *testing.T) { t.Run("a", rapid.MakeCheck(nil)) }
func helper(t *testing.T) { rapid.Check(t, nil) }
`
	for name, text := range map[string]string{"x_test.go": source, "x.go": "package x\n", "testdata": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := drawing(dir)
	if want := "TestProperty TestSome"; err != nil || strings.Join(got, " ") != want {
		t.Errorf("got %q, %v, want %s", got, err, want)
	}
}
