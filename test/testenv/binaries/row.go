package binaries

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// What a side module is built from and what the compilers make of it is ten times the size of the programs. So side
// modules have a build cache and a module cache of their own, which all builds of a row share: those of one call of
// Ensure, and of the calls that other processes make meanwhile. The last of them to succeed removes what was compiled
// and unpacked, and with it what a row that was broken off has left; else that is removed when nobody has gone on
// with it for a day. Downloads stay, for the programs that are built later.

// row is one workshop's part in such builds.
type row struct {
	env   []string // added to the environment of its builds
	leave func()   // gives up what keeps others from removing the caches
}

func (s *workshop) rowLock() string  { return filepath.Join(s.cache, "row.lock") }
func (s *workshop) compiled() string { return filepath.Join(s.cache, "compiled") }
func (s *workshop) modules() string  { return filepath.Join(s.cache, "modules") }

// Modules is the module cache of the side modules. Between builds it holds nothing but downloads.
func Modules() (string, error) {
	cache, err := cacheDir()
	if err != nil {
		return "", err
	}
	return (&workshop{cache: cache}).modules(), nil
}

// join enters the row of those that build, or remains in it.
func (s *workshop) join(ctx context.Context) error {
	if s.row != nil {
		return nil
	}
	if err := os.MkdirAll(s.cache, 0o755); err != nil {
		return err
	}
	leave, err := waitForLock(ctx, s.rowLock(), syscall.LOCK_SH, func() bool { return false })
	if err != nil {
		return err
	}
	env, err := s.rowEnv(ctx)
	if err != nil {
		leave()
		return err
	}
	s.row = &row{env: env, leave: leave}
	return nil
}

// rowEnv doesn't change what a build makes, only what it costs, so it isn't part of a key. What the caller's module
// cache has needn't be downloaded again. Nobody reads debugging information here: the linker is told to leave it out,
// so the compiler needn't write it.
func (s *workshop) rowEnv(ctx context.Context) ([]string, error) {
	output, err := exec.CommandContext(ctx, "go", "env", "GOMODCACHE", "GOPROXY").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	theirs, proxy, _ := strings.Cut(strings.TrimRight(string(output), "\n"), "\n")
	return []string{
		"GOCACHE=" + s.compiled(),
		"GOMODCACHE=" + s.modules(),
		"GOPROXY=" + proxies(filepath.Join(theirs, downloads), proxy),
		"GOFLAGS=-mod=readonly -modcacherw -gcflags=all=-dwarf=false",
	}, nil
}

// downloads is where a module cache keeps them: a directory that serves as a proxy.
var downloads = filepath.Join("cache", "download")

func proxies(first, others string) string {
	if strings.ContainsAny(first, ",|") { // can't be said in a list
		return others
	}
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(first)}).String() + "," + cmp.Or(others, "direct")
}

// keptBroken is for how long the caches of a row that was broken off are kept for whoever tries again.
const keptBroken = 24 * time.Hour

// leaveRow ends a workshop's part, when all that was asked for stands. If nobody else builds, the caches are emptied:
// of what this row made, or of what nobody went on with.
func (s *workshop) leaveRow() error {
	built := s.row != nil
	if built {
		s.row.leave()
	}
	s.row = nil
	if s.tidy() || !built && !s.abandoned() {
		return nil
	}
	unlock, err := tryLock(s.rowLock(), syscall.LOCK_EX)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return nil // theirs to remove
	}
	if err != nil {
		return err
	}
	defer unlock()
	if err := keepOnly(s.modules(), "cache"); err != nil {
		return err
	}
	if err := keepOnly(filepath.Join(s.modules(), "cache"), filepath.Base(downloads)); err != nil {
		return err
	}
	return os.RemoveAll(s.compiled())
}

// tidy says that there is nothing to remove.
func (s *workshop) tidy() bool {
	_, err := os.Stat(s.compiled())
	unpacked, _ := os.ReadDir(s.modules()) // if it can't be read, there is nothing that could be removed
	return errors.Is(err, fs.ErrNotExist) && len(unpacked) <= 1
}

// abandoned says that nothing has been added to the caches for long.
func (s *workshop) abandoned() bool {
	for _, dir := range []string{s.compiled(), s.modules()} {
		if i, err := os.Stat(dir); err == nil && time.Since(i.ModTime()) < keptBroken {
			return false
		}
	}
	return true
}

// breakOff ends a workshop's part, and leaves the caches to whoever tries again.
func (s *workshop) breakOff() {
	if s.row != nil {
		s.row.leave()
		fmt.Fprintf(s.progress, "what is compiled so far stays in %s until a build succeeds\n", s.compiled())
	}
	s.row = nil
}

// keepOnly removes all but one entry of a directory, which needn't exist.
func keepOnly(dir, kept string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if entry.Name() == kept {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}
