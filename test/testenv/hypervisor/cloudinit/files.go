package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// defaultPermissions is what cloud-init gives a file that names none.
const defaultPermissions fs.FileMode = 0o644

// errNoPath is returned for an entry without a path, which cloud-init's schema refuses.
var errNoPath = errors.New("write_files: entry without path")

// Permissions is a file mode: in YAML an octal string, or a number taken as it is.
type Permissions fs.FileMode

// UnmarshalJSON reads both forms.
func (p *Permissions) UnmarshalJSON(b []byte) error {
	var octal string
	if json.Unmarshal(b, &octal) != nil {
		var number uint32
		if err := json.Unmarshal(b, &number); err != nil {
			return fmt.Errorf("permissions: %w", err)
		}
		*p = Permissions(number)
		return nil
	}
	number, err := strconv.ParseUint(strings.TrimPrefix(octal, "0o"), 8, 32)
	if err != nil {
		return fmt.Errorf("permissions: %w", err)
	}
	*p = Permissions(number)
	return nil
}

// WriteFiles writes the files below root, the directory that is "/" for the guest.
func (c *Config) WriteFiles(root string) error {
	for _, deferred := range []bool{false, true} {
		for _, file := range c.Files {
			if file.Defer != deferred {
				continue
			}
			if err := file.Write(root); err != nil {
				return fmt.Errorf("write_files: %s: %w", file.Path, err)
			}
		}
	}
	return nil
}

// Write writes the file below root.
func (f File) Write(root string) error {
	if f.Path == "" {
		return errNoPath
	}
	content, err := f.decode()
	if err != nil {
		return err
	}
	path := Inside(root, f.Path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if f.Append {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	out, err := os.OpenFile(path, flags, 0o600)
	if err != nil {
		return err
	}
	if _, err := out.Write(content); err != nil {
		return errors.Join(err, out.Close())
	}
	if err := out.Close(); err != nil {
		return err
	}
	mode := fs.FileMode(f.Permissions)
	if mode == 0 {
		mode = defaultPermissions
	}
	return os.Chmod(path, mode) // unlike the mode of OpenFile this isn't subject to the umask
}

// decode undoes the encoding. Source: cloud-init's cc_write_files.canonicalize_extraction.
func (f File) decode() ([]byte, error) {
	content := []byte(f.Content)
	switch strings.ToLower(strings.TrimSpace(f.Encoding)) {
	case "", "text/plain":
		return content, nil
	case "b64", "base64":
		return fromBase64(content)
	case "gz", "gzip":
		return fromGzip(content)
	case "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
		zipped, err := fromBase64(content)
		if err != nil {
			return nil, err
		}
		return fromGzip(zipped)
	default:
		return nil, fmt.Errorf("unknown encoding %q", f.Encoding)
	}
}

func fromBase64(b []byte) ([]byte, error) {
	// A YAML block scalar breaks the line wherever it was wrapped.
	return base64.StdEncoding.DecodeString(strings.Join(strings.Fields(string(b)), ""))
}

func fromGzip(b []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// Inside returns where the guest's path is on this machine. It can't leave root by way of "..".
func Inside(root, path string) string {
	return filepath.Join(root, filepath.Clean("/"+path))
}
