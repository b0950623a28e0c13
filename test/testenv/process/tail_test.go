package process_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

func TestTail(t *testing.T) {
	long := strings.Repeat("0123456789\n", 1<<20) + "last\n"
	for name, tc := range map[string]struct {
		text    string
		n       int
		without []string
		want    string
	}{
		"the last lines":         {"a\nb\nc\n", 2, nil, "b\nc"},
		"fewer than asked for":   {"a\nb\n", 5, nil, "a\nb"},
		"without a newline":      {"a\nb", 1, nil, "b"},
		"nothing":                {"", 3, nil, ""},
		"only what is of use":    {"a\ndebug b\nc\ndebug d\n", 2, []string{"debug"}, "a\nc"},
		"several of no interest": {"a\nb\nc\n", 3, []string{"a", "c"}, "b"},
		"a log that is long":     {long, 2, nil, "0123456789\nlast"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "log")
			if err := os.WriteFile(file, []byte(tc.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got := process.Tail(file, tc.n, tc.without...); got != tc.want {
				t.Errorf("got %q, want %q", got, tc.want)
			}
		})
	}
	if got := process.Tail(filepath.Join(t.TempDir(), "none"), 1); got != "" {
		t.Errorf("of no log: %q", got)
	}
}
