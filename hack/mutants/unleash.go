package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// belowThreshold is gremlins' exit code when the tests notice fewer mutants than its threshold asks for.
const belowThreshold = 10

// goFlags are for every run of the tests: as fast as may be, and never from the cache, by whose time gremlins would
// measure how long the tests may take.
const goFlags = "-short -vet=off -count=1 -gcflags=-dwarf=false -ldflags=-w -trimpath"

// unleash runs gremlins on a copy of the module that holds nothing but what they are built of. tooFew is true if
// its threshold isn't met.
func unleash(ctx context.Context, gremlins, root, dir string) (r report, tooFew bool, err error) {
	scratch, err := os.MkdirTemp("", "mutants-")
	if err != nil {
		return r, false, err
	}
	defer os.RemoveAll(scratch)
	module, file := filepath.Join(scratch, "module"), filepath.Join(scratch, "report.json")
	if err := copyModule(root, module); err != nil {
		return r, false, err
	}
	random, err := drawing(filepath.Join(module, dir))
	if err != nil {
		return r, false, err
	}
	flags := goFlags
	if len(random) > 0 {
		flags += " -skip=^(" + strings.Join(random, "|") + ")$"
	}
	env, err := goInFront(filepath.Join(scratch, "path"))
	if err != nil {
		return r, false, err
	}
	cmd := exec.CommandContext(ctx, gremlins, "unleash", "--silent", "--config", filepath.Join(root, ".gremlins.yaml"),
		"--output", file, filepath.Join(module, dir))
	cmd.Dir, cmd.Stderr = module, os.Stderr
	cmd.Env = append(os.Environ(), append(env, "CGO_ENABLED=0", "GOFLAGS="+flags, "TMPDIR="+scratch)...)
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(os.Interrupt) }, 10*time.Second
	err = cmd.Run()
	if exited := (*exec.ExitError)(nil); errors.As(err, &exited) && exited.ExitCode() == belowThreshold {
		tooFew, err = true, nil
	}
	if err != nil {
		return r, false, err
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return r, false, err
	}
	return r, tooFew, json.Unmarshal(text, &r)
}

func copyModule(root, to string) error {
	for _, dir := range []string{"api", "internal"} {
		if err := os.CopyFS(filepath.Join(to, dir), os.DirFS(filepath.Join(root, dir))); err != nil {
			return err
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
