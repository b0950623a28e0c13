package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
)

// gremlins makes no mutants of what no test reaches, by Go's coverage. That has no place for the conditions of a
// switch's cases, which many of our decisions are. So this program stands before the go command that gremlins runs, and
// answers for it that all is reached. What isn't reached then survives.

// realGo is the environment variable with the path of the go command.
const realGo = "MUTANTS_GO"

// goInFront returns the environment in which this program is the go command.
func goInFront(dir string) ([]string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	if err := os.Symlink(self, filepath.Join(dir, "go")); err != nil {
		return nil, err
	}
	return []string{realGo + "=" + path, "PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH")}, nil
}

// asGo does what the go command does with these arguments.
func asGo(args []string) error {
	path := os.Getenv(realGo)
	at := slices.Index(args, "-coverprofile")
	if at < 0 || at+1 >= len(args) {
		return syscall.Exec(path, append([]string{"go"}, args...), os.Environ()) // so that whoever ends it ends go
	}
	cmd := exec.CommandContext(context.Background(), path, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return err
	}
	profile, err := os.ReadFile(args[at+1])
	if err != nil {
		return err
	}
	return os.WriteFile(args[at+1], []byte(allReached(string(profile))), 0o644)
}

var profiled = regexp.MustCompile(`(?m)^(.+\.go):`)

// allReached is a coverage profile of the same files in which every line is reached.
func allReached(profile string) string {
	files := map[string]bool{}
	var out strings.Builder
	out.WriteString("mode: set\n")
	for _, m := range profiled.FindAllStringSubmatch(profile, -1) {
		if !files[m[1]] {
			files[m[1]] = true
			fmt.Fprintf(&out, "%s:1.1,1000000.1 1 1\n", m[1])
		}
	}
	return out.String()
}
