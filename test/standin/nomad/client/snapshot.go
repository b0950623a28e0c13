package client

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// pack writes what moves with an allocation: alloc/data, and the directory local of each task.
func pack(w io.Writer, dir string, tasks []*task) error {
	out := tar.NewWriter(w)
	moved := []string{filepath.Join(dir, "alloc", "data")}
	for _, t := range tasks {
		moved = append(moved, filepath.Join(t.dir(), "local"))
	}
	for _, root := range moved {
		err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
			if path == root && errors.Is(err, fs.ErrNotExist) {
				return nil // a task that never ran has none
			}
			if err != nil {
				return err
			}
			return packOne(out, dir, path)
		})
		if err != nil {
			return err
		}
	}
	return out.Close()
}

func packOne(out *tar.Writer, dir, path string) error {
	name, err := filepath.Rel(dir, path)
	if err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	var link string
	if info.Mode()&fs.ModeSymlink != 0 {
		if link, err = os.Readlink(path); err != nil {
			return err
		}
	}
	header, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	header.Name = name
	if err := out.WriteHeader(header); err != nil || info.IsDir() || link != "" {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(out, file)
	return err
}

// unpack writes a snapshot into a directory. What isn't a directory, a file or a link is left out.
func unpack(r io.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for in := tar.NewReader(r); ; {
		header, err := in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("error reading snapshot: %w", err)
		}
		if err := unpackOne(root, header, in); err != nil {
			return fmt.Errorf("error reading snapshot: %w", err)
		}
	}
}

// unpackOne writes one thing, by a root that nothing gets out of.
func unpackOne(root *os.Root, header *tar.Header, content io.Reader) error {
	name, mode := filepath.Clean(header.Name), header.FileInfo().Mode().Perm()
	if err := root.MkdirAll(filepath.Dir(name), 0o777); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		if err := root.MkdirAll(name, 0o777); err != nil {
			return err
		}
		return root.Chmod(name, mode)
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, mode)
		if err != nil {
			return err
		}
		if _, err := io.Copy(file, content); err != nil {
			return errors.Join(err, file.Close())
		}
		return file.Close()
	default:
		return nil
	}
}
