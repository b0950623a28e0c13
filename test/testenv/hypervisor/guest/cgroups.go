package guest

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// cgroupRoots are where a cgroup_parent of Nomad can be: at the top of the unified hierarchy, or of each
// hierarchy of version 1.
var cgroupRoots = []string{"/sys/fs/cgroup", "/sys/fs/cgroup/*"}

// removeCgroups removes what Nomad would have removed had it not been killed. A cgroup that is busy still or
// isn't ours to remove is left alone: it holds nothing.
func removeCgroups(name string) error {
	for _, root := range cgroupRoots {
		parents, err := filepath.Glob(filepath.Join(root, name))
		if err != nil {
			return err
		}
		for _, parent := range parents {
			if err := removeCgroup(parent); err != nil {
				return err
			}
		}
	}
	return nil
}

func removeCgroup(parent string) error {
	var dirs []string
	err := filepath.WalkDir(parent, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			dirs = append(dirs, path)
		}
		return nil // what vanishes meanwhile is gone as wished
	})
	if err != nil {
		return err
	}
	for _, dir := range slices.Backward(dirs) {
		err := syscall.Rmdir(dir)
		if err != nil && !errors.Is(err, syscall.EBUSY) && !errors.Is(err, syscall.EPERM) &&
			!errors.Is(err, syscall.EACCES) &&
			!errors.Is(err, syscall.ENOENT) {
			return &os.PathError{Op: "rmdir", Path: dir, Err: err}
		}
	}
	return nil
}
