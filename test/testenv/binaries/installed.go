package binaries

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// probes are the tools people have installed, with the arguments that make them
// print their version. For Nomad other rules hold: see FindNomad.
var probes = map[Tool][]string{
	Etcd:    {"--version"},
	Kubectl: {"version", "--client"},
}

// installed returns the user's own copy of a tool if it is of exactly the version
// planned, else "". The one on PATH is taken silently or not at all; the one
// that $ETCD_BIN or $KUBECTL_BIN names has to fit.
func installed(ctx context.Context, p plan) (string, error) {
	probe, ok := probes[p.tool]
	if !ok {
		return "", nil
	}
	variable := strings.ToUpper(string(p.tool)) + "_BIN"
	chosen := os.Getenv(variable)
	path, err := exec.LookPath(cmp.Or(chosen, string(p.tool)))
	if err == nil {
		path, err = filepath.Abs(path)
	}
	if err == nil && !printsVersion(ctx, path, probe, p.release) {
		err = fmt.Errorf("%s is not version %s", path, p.release)
	}
	switch {
	case err == nil:
		return path, nil
	case chosen != "":
		return "", fmt.Errorf("$%s: %w", variable, err)
	default:
		return "", nil
	}
}

// printsVersion tells whether one word of what the program prints is the version.
func printsVersion(ctx context.Context, path string, args []string, release string) bool {
	output, err := exec.CommandContext(ctx, path, args...).Output()
	return err == nil && slices.ContainsFunc(strings.Fields(string(output)), func(word string) bool {
		return strings.TrimPrefix(word, "v") == release
	})
}
