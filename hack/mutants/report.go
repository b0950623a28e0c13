package main

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
)

// report is what gremlins writes.
type report struct {
	Killed   int     `json:"mutants_killed"`
	Efficacy float64 `json:"test_efficacy"`
	Seconds  float64 `json:"elapsed_time"`
	Files    []struct {
		Name      string   `json:"file_name"`
		Mutations []mutant `json:"mutations"`
	} `json:"files"`
}

type mutant struct {
	Type   string `json:"type"`
	Status string `json:"status"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// survivor is a mutant that the tests don't notice.
type survivor struct {
	// File is where it is, from the root of the repository, and Mutation what gremlins calls the change.
	File     string `json:"file"`
	Mutation string `json:"mutation"`
	// Code is the line with the operator that is changed between « and »: lines move, and numbers with them.
	Code string `json:"code"`
	// Why it changes nothing. Only the list says that.
	Why string `json:"why,omitempty"`
	// Place and status are for people.
	place, status string
}

// survivors are the mutants of a package that weren't killed. Those that no test reached, or whose tests took too long,
// weren't. One that doesn't compile is none.
func (r report) survivors(root, dir string) ([]survivor, error) {
	var out []survivor
	for _, f := range r.Files {
		name := path.Join(filepath.ToSlash(dir), f.Name)
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(name)))
		if err != nil {
			return nil, err
		}
		lines := strings.Split(string(text), "\n")
		for _, m := range f.Mutations {
			if m.Status == "KILLED" || m.Status == "NOT VIABLE" {
				continue
			}
			out = append(out, survivor{File: name, Mutation: m.Type, Code: marked(lines[m.Line-1], m.Column-1),
				place: fmt.Sprintf("%s:%d:%d", name, m.Line, m.Column), status: m.Status})
		}
	}
	return out, nil
}

var operator = regexp.MustCompile(`^(\w+|[-+*/%&|^<>=!]+)`)

// marked is a line with the operator at a place marked.
func marked(line string, at int) string {
	op := operator.FindString(line[at:])
	return strings.TrimSpace(strings.TrimSpace(line[:at]) + " «" + op + "» " + strings.TrimSpace(line[at+len(op):]))
}
