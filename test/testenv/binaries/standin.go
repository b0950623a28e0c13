package binaries

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

const (
	// standInPackage is the source of the stand-in, in the root module.
	standInPackage = "./test/standin/nomad"
	// standInKept is how long one that was built from other sources stays in the cache after its last use.
	standInKept = 24 * time.Hour
)

// standIn returns the stand-in of this checkout, built if its sources have changed.
func (s *workshop) standIn(ctx context.Context, why string) (NomadInUse, error) {
	p, err := s.standInPlan(ctx)
	if err != nil {
		return NomadInUse{}, fmt.Errorf("the stand-in for Nomad is needed (%s): %w", why, err)
	}
	if !isExecutable(p.path) {
		fmt.Fprintf(s.progress, "This runs with our stand-in for Nomad, which is to be built first (%s)\n", why)
		if err := s.buildOnce(ctx, p); err != nil {
			return NomadInUse{}, err
		}
	}
	now := time.Now()
	if err := os.Chtimes(filepath.Dir(p.path), now, now); err != nil {
		return NomadInUse{}, err
	}
	if err := forgetStandIns(filepath.Dir(p.path), now.Add(-standInKept)); err != nil {
		return NomadInUse{}, err
	}
	n, err := askNomad(ctx, p.path)
	if err != nil {
		return n, fmt.Errorf("the stand-in for Nomad doesn't run: %w", err)
	}
	if !n.StandIn {
		return n, fmt.Errorf("the stand-in %s calls itself %s, which lacks the mark -%s", p.path, n.Version, standInMark)
	}
	n.Why = why
	return n, nil
}

func (s *workshop) standInPlan(ctx context.Context) (plan, error) {
	if _, err := os.Stat(filepath.Join(s.root, standInPackage)); err != nil {
		return plan{}, fmt.Errorf("this checkout lacks its source: %w", err)
	}
	p := plan{recipe: recipe{pkg: standInPackage, inRoot: true, typical: time.Minute}, tool: Nomad, release: standInMark,
		dir: s.root}
	key, err := s.standInKey(ctx, p)
	if err != nil {
		return plan{}, err
	}
	p.path = filepath.Join(s.cache, "bin", fmt.Sprintf("%s-%s-%s", Nomad, standInMark, key), string(Nomad))
	return p, nil
}

// ourSources lists the files of this module that go into a program, by full path.
const ourSources = `{{with .Module}}{{if .Main}}{{$dir := $.Dir}}{{range $.GoFiles}}{{$dir}}/{{.}}
{{end}}{{range $.EmbedFiles}}{{$dir}}/{{.}}
{{end}}{{end}}{{end}}`

// standInKey is as plan.key, but for a program of the root module: go.mod and go.sum there change for many reasons, and
// then the go command's own cache makes a build cheap.
func (s *workshop) standInKey(ctx context.Context, p plan) (string, error) {
	list := goProcess(ctx, s.root, "list", "-deps", "-f", ourSources, p.pkg)
	output, err := list.Output()
	if err != nil {
		if failed := (*exec.ExitError)(nil); errors.As(err, &failed) {
			err = fmt.Errorf("%w: %s", err, failed.Stderr)
		}
		return "", fmt.Errorf("listing what %s is built from: %w", p.pkg, err)
	}
	h := sha256.New()
	fmt.Fprintln(h, runtime.GOOS, runtime.GOARCH, runtime.Version(), buildEnv, p.args())
	for _, name := range append([]string{"go.mod", "go.sum"}, strings.FieldsFunc(string(output),
		func(r rune) bool { return r == '\n' })...) {
		if filepath.IsAbs(name) {
			if name, err = filepath.Rel(s.root, name); err != nil {
				return "", err
			}
		}
		if err := hashFile(h, s.root, name); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// forgetStandIns removes those beside the one in use that weren't used since.
func forgetStandIns(inUse string, since time.Time) error {
	all, err := filepath.Glob(filepath.Join(filepath.Dir(inUse), fmt.Sprintf("%s-%s-*", Nomad, standInMark)))
	if err != nil {
		return err
	}
	for _, dir := range all {
		info, err := os.Stat(dir)
		if errors.Is(err, fs.ErrNotExist) || dir == inUse {
			continue
		}
		if err != nil {
			return err
		}
		if info.ModTime().Before(since) {
			if err := os.RemoveAll(dir); err != nil {
				return err
			}
		}
	}
	return nil
}
