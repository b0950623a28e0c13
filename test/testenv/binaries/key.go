package binaries

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// buildEnv is the environment added to every build: no C compiler is needed, and
// nothing of the caller's workspace or flags leaks in.
var buildEnv = []string{"CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly"}

// key names the outcome of a build: the same key means the same program. It
// covers the exact dependencies (go.mod, go.sum), our own sources where the
// package is ours, and the flags.
func (p plan) key() (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.GOOS, runtime.GOARCH, buildEnv, p.args())
	for _, name := range []string{p.goMod(), strings.TrimSuffix(p.goMod(), ".mod") + ".sum"} {
		if err := hashFile(h, p.dir, name); err != nil {
			return "", err
		}
	}
	if strings.HasPrefix(p.pkg, "./") {
		if err := hashSources(h, p.dir, p.pkg); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil))[:12], nil
}

// hashSources adds every Go file but tests below dir/pkg, in lexical order.
func hashSources(w io.Writer, dir, pkg string) error {
	return filepath.WalkDir(filepath.Join(dir, pkg), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return hashFile(w, dir, name)
	})
}

// hashFile adds a file's name, size and content: the size keeps two files from
// passing for one.
func hashFile(w io.Writer, dir, name string) error {
	content, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return err
	}
	fmt.Fprintln(w, filepath.ToSlash(name), len(content))
	_, err = w.Write(content)
	return err
}
