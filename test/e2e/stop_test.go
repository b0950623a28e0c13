package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/world"
)

// stopsWithoutATrace stops a world, and checks that nothing of it is left but its logs if the test failed.
func stopsWithoutATrace(t *testing.T, w *world.World) {
	t.Helper()
	if err := w.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(w.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("directory after Stop: %v", err)
	}
	if left := processesMentioning(t, w.Dir); len(left) > 0 {
		t.Errorf("processes left after Stop: %q", left)
	}
	if err := w.Stop(); err != nil {
		t.Errorf("second Stop: %v", err)
	}
}

// processesMentioning returns the command lines that contain a text; every program of a world is started
// with paths below the world's directory.
func processesMentioning(t *testing.T, text string) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(b), text) { // a process may end while we look
			found = append(found, strings.ReplaceAll(string(b), "\x00", " "))
		}
	}
	return found
}
