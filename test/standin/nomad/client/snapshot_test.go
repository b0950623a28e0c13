package client

import (
	"archive/tar"
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/hashicorp/nomad/api"
)

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// What moves is alloc/data and each task's local; logs, secrets and what is beside them don't.
func TestSnapshotHasWhatMoves(t *testing.T) {
	from := &alloc{dir: t.TempDir()}
	for _, name := range []string{"ran", "never-ran"} {
		from.tasks = append(from.tasks, newTask(from, &api.Task{Name: name}, nil))
	}
	for _, file := range []string{"alloc/data/deep/file", "alloc/logs/ran.stdout.0", "ran/local/own", "ran/secrets/token"} {
		write(t, filepath.Join(from.dir, file), file)
	}
	if err := os.Symlink("deep/file", filepath.Join(from.dir, "alloc/data/link")); err != nil {
		t.Fatal(err)
	}
	var sent bytes.Buffer
	if err := pack(&sent, from.dir, from.tasks); err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := unpack(&sent, to); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		"alloc/data/deep/file": "alloc/data/deep/file", "alloc/data/link": "alloc/data/deep/file", "ran/local/own": "ran/local/own",
		"alloc/logs/ran.stdout.0": "", "ran/secrets/token": "", "never-ran/local": "",
	} {
		got, err := os.ReadFile(filepath.Join(to, file))
		if string(got) != want || (want == "") != os.IsNotExist(err) {
			t.Errorf("%s has %q (%v), want %q", file, got, err, want)
		}
	}
	if info, err := os.Stat(filepath.Join(to, "ran/local/own")); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("the mode of a file is %v (%v)", info.Mode(), err)
	}
}

// A snapshot that breaks off, or names what is elsewhere, isn't taken.
func TestSnapshotThatIsRefused(t *testing.T) {
	var whole bytes.Buffer
	out := tar.NewWriter(&whole)
	if err := out.WriteHeader(&tar.Header{Name: "alloc/data/f", Typeflag: tar.TypeReg, Size: 4000, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Write(make([]byte, 4000)); err != nil {
		t.Fatal(err)
	}
	if err := unpack(io.LimitReader(bytes.NewReader(whole.Bytes()), 3000), t.TempDir()); err == nil {
		t.Error("half of a file was taken for all of it")
	}
	var outside bytes.Buffer
	out = tar.NewWriter(&outside)
	if err := out.WriteHeader(&tar.Header{Name: "../f", Typeflag: tar.TypeReg, Mode: 0o600}); err != nil {
		t.Fatal(err)
	}
	if err := out.Close(); err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "alloc")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := unpack(&outside, dir); err == nil {
		t.Error("a file was written outside of the directory")
	}
}
