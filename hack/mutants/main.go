// Command mutants tests the tests of the pure packages: it has one operator changed at a time, and the tests of its
// package must fail.
//
//	go run ./hack/mutants                  every one; make mutants
//	go run ./hack/mutants internal/pool    only this one
//
// gremlins (tools/mutants) makes the mutants, with the settings of .gremlins.yaml. A mutant that changes nothing that
// anybody could notice is in survivors.yaml, with the reason.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
)

// pure packages: a test of each of their decisions is a matter of milliseconds.
var pure = []string{"internal/pool", "internal/member", "internal/nodestate", "internal/orphan"}

func main() {
	if filepath.Base(os.Args[0]) == "go" {
		fail(asGo(os.Args[1:]))
		return
	}
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, flag.Args())
	stop()
	fail(err)
}

func fail(err error) {
	if exited := (*exec.ExitError)(nil); errors.As(err, &exited) && exited.Exited() {
		os.Exit(exited.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "mutants:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, only []string) error {
	root, err := output(ctx, "git", "rev-parse", "--show-toplevel")
	if err != nil {
		return err
	}
	listed, err := readList()
	if err != nil {
		return err
	}
	paths, err := binaries.Ensure(ctx, os.Stderr, binaries.Gremlins)
	if err != nil {
		return err
	}
	if len(only) == 0 {
		only = pure
	}
	var wrong []error
	for _, dir := range only {
		wrong = append(wrong, try(ctx, paths[binaries.Gremlins], root, filepath.Clean(dir), listed))
	}
	return errors.Join(wrong...)
}

// try runs gremlins on one package and holds what it reports to the list.
func try(ctx context.Context, gremlins, root, dir string, listed []survivor) error {
	fmt.Printf("mutants: %s; that takes minutes\n", dir)
	r, tooFew, err := unleash(ctx, gremlins, root, dir)
	if err != nil {
		return fmt.Errorf("%s: %w", dir, err)
	}
	left, err := r.survivors(root, dir)
	if err != nil {
		return err
	}
	fmt.Printf("mutants: %s: the tests notice %d, which is %.1f %%; %d aren't noticed; %.0f s\n",
		dir, r.Killed, r.Efficacy, len(left), r.Seconds)
	wrong := compare(dir, left, listed)
	if tooFew {
		wrong = append(wrong, fmt.Errorf("%s: %.1f %% is less than .gremlins.yaml asks for", dir, r.Efficacy))
	}
	return errors.Join(wrong...)
}

// output runs a command and returns what it prints.
func output(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", name, strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out)), nil
}
