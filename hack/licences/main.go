// Command licences holds what this repository requires to open-source licences, and writes what the product's binary
// contains:
//
//	go run ./hack/licences            check every go.mod of the repository; part of make verify
//	go run ./hack/licences -notice    write NOTICE anew
//	go run ./hack/licences -sbom bin/nomad-harvester -version v1.2.3    print what the binary contains, in CycloneDX
//
// list.yaml says what is denied whatever it holds, which licences are open, and what was looked up by people. Beyond
// that the licence files of what is in the module caches are read. Nothing is fetched to be looked at.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/binaries"
)

func main() {
	notice := flag.Bool("notice", false, "write NOTICE: the modules that the product's binary contains")
	sbom := flag.String("sbom", "", "print what this `binary` contains, with licences, in CycloneDX")
	version := flag.String("version", "dev", "the version of that binary")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Stdout, *notice, *sbom, *version)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, notice bool, sbom, version string) error {
	root, err := goEnv(ctx, "GOMOD")
	if err != nil {
		return err
	}
	root = filepath.Dir(root)
	rules, err := readRules()
	if err != nil {
		return err
	}
	if notice {
		text, err := noticeOf(ctx, root, rules)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(root, "NOTICE"), []byte(text), 0o644)
	}
	cache, err := goEnv(ctx, "GOMODCACHE")
	if err != nil {
		return err
	}
	if sbom != "" {
		return writeSBOM(out, sbom, version, []string{cache}, rules)
	}
	sideModules, err := binaries.Modules()
	if err != nil {
		return err
	}
	return check(out, root, []string{cache, sideModules}, rules)
}

// check looks at all that the go.mod files below root require, as far as a module cache has it.
func check(out io.Writer, root string, caches []string, rules *rules) error {
	required, err := requiredModules(root)
	if err != nil {
		return err
	}
	var wrong []error
	read := 0
	for _, m := range required {
		if err := rules.denied(m.Version); err != nil {
			wrong = append(wrong, fmt.Errorf("%w; required by %s", err, strings.Join(m.by, ", ")))
			continue
		}
		files, done, err := m.find(caches)
		if err != nil {
			return err
		}
		if files == nil {
			continue // not downloaded
		}
		read++
		_, err = rules.licenceOf(m.Version, files)
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%w; required by %s", err, strings.Join(m.by, ", ")))
		}
		if err := done(); err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		return errors.Join(wrong...)
	}
	_, err = fmt.Fprintf(out,
		"licences: of %d modules that are required none is denied, and the %d that are downloaded are under open-source licences\n",
		len(required), read)
	return err
}

// goEnv asks the go command for a setting of its.
func goEnv(ctx context.Context, name string) (string, error) {
	output, err := exec.CommandContext(ctx, "go", "env", name).Output()
	value := strings.TrimSpace(string(output))
	if err != nil || value == "" || value == os.DevNull {
		return "", fmt.Errorf("go env %s says %q: %w", name, value,
			errors.Join(err, errors.New("run this inside the repository")))
	}
	return value, nil
}
