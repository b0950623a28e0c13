package process

import (
	"io"
	"os"
	"slices"
	"strings"
)

// tailBytes bounds what Tail reads. A controller that writes all that it can writes megabytes in minutes.
const tailBytes = 4 << 20

// Tail returns the last n lines of a log, of those that don't hold any of the texts that are of no interest. It is for
// error messages: what can't be read is empty, and hides no error.
func Tail(file string, n int, without ...string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.Size() > tailBytes {
		if _, err := f.Seek(-tailBytes, io.SeekEnd); err != nil {
			return ""
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, tailBytes))
	if err != nil {
		return ""
	}
	lines := slices.DeleteFunc(strings.Split(strings.TrimRight(string(text), "\n"), "\n"), func(line string) bool {
		return slices.ContainsFunc(without, func(part string) bool { return strings.Contains(line, part) })
	})
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Tail returns the last n lines of the process's log.
func (p *Process) Tail(n int) string { return Tail(p.spec.LogFile, n) }
