package main

import (
	_ "embed"
	"fmt"
	"path"

	"sigs.k8s.io/yaml"
)

//go:embed survivors.yaml
var list []byte

func readList() ([]survivor, error) {
	var out []survivor
	if err := yaml.UnmarshalStrict(list, &out); err != nil {
		return nil, fmt.Errorf("survivors.yaml: %w", err)
	}
	for _, s := range out {
		if s.File == "" || s.Mutation == "" || s.Code == "" || s.Why == "" {
			return nil, fmt.Errorf("survivors.yaml: a survivor needs its file, mutation, code and why: %+v", s)
		}
	}
	return out, nil
}

// what makes two mutants the same one.
type identity struct{ file, mutation, code string }

func (s survivor) identity() identity { return identity{s.File, s.Mutation, s.Code} }

// compare returns what is wrong in a package: a survivor that isn't listed, and a listed one that is noticed or gone.
func compare(dir string, left, listed []survivor) []error {
	var wrong []error
	known, met := map[identity]bool{}, map[identity]bool{}
	for _, s := range listed {
		known[s.identity()] = true
	}
	for _, s := range left {
		met[s.identity()] = true
		if !known[s.identity()] {
			wrong = append(wrong, fmt.Errorf("%s: %s, and no test notices it. Write one, or delete code that nothing needs. "+
				"Only a mutant that changes nothing goes into hack/mutants/survivors.yaml, with its reason:\n"+
				"- file: %s\n  mutation: %s\n  code: %q", s.place, s.status, s.File, s.Mutation, s.Code))
		}
	}
	for _, s := range listed {
		if path.Dir(s.File) == dir && !met[s.identity()] {
			wrong = append(wrong, fmt.Errorf("%s: %s of %q is noticed by a test now, or gone: take it out of "+
				"hack/mutants/survivors.yaml", s.File, s.Mutation, s.Code))
		}
	}
	return wrong
}
