package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/module"
)

const noticeHead = `nomad-harvester
Copyright The nomad-harvester authors

This product is under the Apache License, Version 2.0; see LICENSE. Its binary contains the standard library of Go
(The Go Authors, BSD-3-Clause) and packages of the modules below, each under its own licence, whose text is in
the module.
Written by: go run ./hack/licences -notice

`

const noticeSource = `
Of modules under MPL-2.0 the source is used as it is, without changes. It can be had, in the version named, from the
module's repository, whose address is the module's path:

`

// contained is a module that has packages in the binary.
type contained struct {
	module.Version

	dir, licence string
}

// noticeOf is the text of NOTICE for the product, the main package in root.
func noticeOf(ctx context.Context, root string, rules *rules) (string, error) {
	modules, err := containedModules(ctx, root)
	if err != nil {
		return "", err
	}
	var text, source, notices strings.Builder
	for _, m := range modules {
		if m.licence, err = rules.licenceOf(m.Version, os.DirFS(m.dir)); err != nil {
			return "", err
		}
		fmt.Fprintf(&text, "%s %s: %s\n", m.Path, m.Version.Version, m.licence)
		if strings.Contains(m.licence, "MPL-2.0") {
			fmt.Fprintf(&source, "%s %s\n", m.Path, m.Version.Version)
		}
		content, err := os.ReadFile(filepath.Join(m.dir, "NOTICE"))
		if err == nil {
			fmt.Fprintf(&notices, "\n--- NOTICE of %s %s\n\n%s\n", m.Path, m.Version.Version, bytes.TrimSpace(content))
		} else if !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
	}
	return noticeHead + text.String() + noticeSource + source.String() + notices.String(), nil
}

// containedModules asks the go command, for the platform of the image.
func containedModules(ctx context.Context, root string) ([]contained, error) {
	const fields = `{{.Path}} {{.Version}} {{.Dir}}`
	const format = `{{with .Module}}{{if not .Main}}{{with .Replace}}` + fields +
		`{{else}}` + fields + `{{end}}{{end}}{{end}}`
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-f", format, ".")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off",
		"PWD="+root)
	output, err := cmd.Output()
	if err != nil {
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return nil, fmt.Errorf("listing what the binary contains: %w", err)
	}
	lines := slices.Sorted(strings.Lines(string(output)))
	var all []contained
	for _, line := range slices.Compact(lines) {
		path, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		version, dir, _ := strings.Cut(rest, " ")
		if path != "" {
			all = append(all, contained{module.Version{Path: path, Version: version}, dir, ""})
		}
	}
	return all, nil
}
