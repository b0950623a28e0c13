package main

import (
	_ "embed"
	"fmt"
	"slices"

	"golang.org/x/mod/module"
	"golang.org/x/mod/semver"
	"sigs.k8s.io/yaml"
)

// rules are what people decided, with their reasons.
type rules struct {
	// Denied modules aren't required, whatever their licence files say.
	Denied []deniedModule `json:"denied"`
	// Open are the identifiers of licences that are open-source.
	Open []string `json:"open"`
	// Known are the licences of modules whose files the scanner can't tell.
	Known []knownModule `json:"known"`
}

type deniedModule struct {
	Module string `json:"module"`
	// Since is the first version that is denied; empty: all are.
	Since  string `json:"since,omitempty"`
	Reason string `json:"reason"`
}

type knownModule struct {
	Module  string `json:"module"`
	Licence string `json:"licence"`
	Reason  string `json:"reason"`
}

//go:embed list.yaml
var list []byte

func readRules() (*rules, error) {
	r := &rules{}
	if err := yaml.UnmarshalStrict(list, r); err != nil {
		return nil, fmt.Errorf("list.yaml: %w", err)
	}
	for _, d := range r.Denied {
		if d.Module == "" || d.Reason == "" || d.Since != "" && !semver.IsValid(d.Since) {
			return nil, fmt.Errorf("list.yaml: a denied module needs its path, a reason and no bad version: %+v", d)
		}
	}
	for _, k := range r.Known {
		if k.Module == "" || k.Reason == "" || !slices.Contains(r.Open, k.Licence) {
			return nil, fmt.Errorf("list.yaml: a known module needs its path, a reason and an open licence: %+v", k)
		}
	}
	return r, nil
}

// denied says why a module must not be required.
func (r *rules) denied(m module.Version) error {
	for _, d := range r.Denied {
		if d.Module == m.Path && (d.Since == "" || semver.Compare(m.Version, d.Since) >= 0) {
			return fmt.Errorf("%s is denied: %s", m, d.Reason)
		}
	}
	return nil
}

func (r *rules) known(path string) (licence string, ok bool) {
	at := slices.IndexFunc(r.Known, func(k knownModule) bool { return k.Module == path })
	if at < 0 {
		return "", false
	}
	return r.Known[at].Licence, true
}
