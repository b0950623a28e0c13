package main

import (
	"archive/zip"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"
	"golang.org/x/mod/module"
)

// required is a module that go.mod files of the repository require, directly or not.
type required struct {
	module.Version

	by []string // the files, below the root of the repository
}

// find returns the module's files from the first module cache that has them, unpacked or as they were downloaded; nil
// if none has. The side modules' cache has downloads alone.
func (r required) find(caches []string) (files fs.FS, done func() error, err error) {
	path, err := module.EscapePath(r.Path)
	if err != nil {
		return nil, nil, err
	}
	version, err := module.EscapeVersion(r.Version.Version)
	if err != nil {
		return nil, nil, err
	}
	for _, cache := range caches {
		dir := filepath.Join(cache, path+"@"+version)
		if _, err := os.Stat(dir); err == nil {
			return os.DirFS(dir), func() error { return nil }, nil
		}
		packed, err := zip.OpenReader(filepath.Join(cache, "cache", "download", path, "@v", version+".zip"))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, nil, fmt.Errorf("%s: %w", r.Version, err)
		}
		files, err := fs.Sub(packed, r.String())
		return files, packed.Close, err
	}
	return nil, func() error { return nil }, nil
}

// requiredModules gathers them from every go.mod below root and from every file beside one that stands in for it
// (go build -modfile), in order.
func requiredModules(root string) ([]required, error) {
	by := map[module.Version][]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && strings.HasPrefix(entry.Name(), ".") && path != root {
			return filepath.SkipDir
		}
		if entry.IsDir() || filepath.Ext(path) != ".mod" {
			return nil
		}
		return addRequired(by, root, path)
	})
	if err != nil {
		return nil, err
	}
	all := make([]required, 0, len(by))
	for version, files := range by {
		all = append(all, required{version, slices.Compact(slices.Sorted(slices.Values(files)))})
	}
	slices.SortFunc(all, func(a, b required) int {
		return strings.Compare(a.Path+"@"+a.Version.Version, b.Path+"@"+b.Version.Version)
	})
	return all, nil
}

// addRequired adds what a file requires, or what it puts in its place.
func addRequired(by map[module.Version][]string, root, path string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	file, err := modfile.Parse(path, content, nil)
	if err != nil {
		return err
	}
	name, err := filepath.Rel(root, path)
	if err != nil {
		return err
	}
	for _, r := range file.Require {
		version := r.Mod
		for _, other := range file.Replace {
			if other.Old.Path == version.Path && (other.Old.Version == "" || other.Old.Version == version.Version) {
				version = other.New
			}
		}
		if modfile.IsDirectoryPath(version.Path) {
			if err := insideRoot(root, path, version.Path); err != nil {
				return fmt.Errorf("%s: %w", name, err)
			}
			continue // ours, and its own go.mod is read
		}
		by[version] = append(by[version], name)
	}
	return nil
}

func insideRoot(root, goMod, directory string) error {
	if !filepath.IsAbs(directory) {
		directory = filepath.Join(filepath.Dir(goMod), directory)
	}
	if rel, err := filepath.Rel(root, directory); err != nil || !filepath.IsLocal(rel) {
		return fmt.Errorf("a module is replaced by %s, outside the repository", directory)
	}
	return nil
}
