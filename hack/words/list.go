package main

import (
	_ "embed"
	"errors"
	"fmt"
	"path"
	"strings"

	"go.yaml.in/yaml/v3"
)

//go:embed words.yaml
var listText string

// list is what words.yaml holds.
type list struct {
	Retired []retired
	Skip    []exception
}

// retired are forms of a word that we don't use, or of several with one meaning.
type retired struct {
	Word, Use    string
	Names, Prose []string
	Fine         []string
	Except       []exception
}

// exception is a file, or a directory if it ends in a slash.
type exception struct{ Path, Why string }

func (e exception) covers(file string) bool {
	return file == e.Path || strings.HasSuffix(e.Path, "/") && strings.HasPrefix(file, e.Path)
}

func readList() (*list, error) {
	l := &list{}
	d := yaml.NewDecoder(strings.NewReader(listText))
	d.KnownFields(true)
	if err := d.Decode(l); err != nil {
		return nil, fmt.Errorf("words.yaml: %w", err)
	}
	var wrong []error
	exceptions := l.Skip
	for _, r := range l.Retired {
		if r.Word == "" || r.Use == "" || len(r.Names)+len(r.Prose) == 0 {
			wrong = append(wrong, fmt.Errorf("words.yaml: %q lacks a word, what to use instead, or its forms", r.Word))
		}
		exceptions = append(exceptions, r.Except...)
	}
	for _, e := range exceptions {
		if e.Path == "" || e.Why == "" {
			wrong = append(wrong, fmt.Errorf("words.yaml: the exception %q lacks a path or a reason", e.Path))
		}
	}
	return l, errors.Join(wrong...)
}

// looksAt is true of files with names or prose of ours.
func (l *list) looksAt(file string) bool {
	for _, e := range l.Skip {
		if e.covers(file) {
			return false
		}
	}
	switch path.Ext(file) {
	case ".go", ".md", ".hcl", ".sh":
		return true
	case ".yaml", ".yml":
		return !strings.Contains(file, "/testdata/")
	}
	return path.Base(file) == "Makefile"
}

// table is the glossary's, of what isn't used any more.
func (l *list) table() string {
	var b strings.Builder
	b.WriteString("| retired | use |\n|---|---|\n")
	for _, r := range l.Retired {
		fmt.Fprintf(&b, "| %s | %s |\n", r.Word, r.Use)
	}
	return b.String()
}
