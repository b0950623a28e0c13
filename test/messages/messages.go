package messages

import (
	"bufio"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// longest is the length in bytes of the longest line that is read.
const longest = 1 << 20

// Set has those of several speakers, one of each shape. The zero value is empty.
type Set struct {
	texts map[string]map[string]string // by who and of what, then by shape
}

// Add takes a message. Of two that have the same shape the first in order is kept, whichever came first, so that the
// order in which things are said makes no difference.
func (m *Set) Add(who, message string) {
	message = strings.ReplaceAll(message, "\n", " ")
	if m.texts == nil {
		m.texts = map[string]map[string]string{}
	}
	if m.texts[who] == nil {
		m.texts[who] = map[string]string{}
	}
	shape := Shape(message)
	if kept, ok := m.texts[who][shape]; !ok || message < kept {
		m.texts[who][shape] = message
	}
}

// Read adds what was written before.
func (m *Set) Read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, longest)
	for lines.Scan() {
		if who, message, ok := strings.Cut(lines.Text(), ": "); ok {
			m.Add(who, message)
		}
	}
	return lines.Err()
}

// String has a line for each message.
func (m *Set) String() string {
	var b strings.Builder
	for _, who := range slices.Sorted(maps.Keys(m.texts)) {
		for _, message := range slices.Sorted(maps.Values(m.texts[who])) {
			fmt.Fprintf(&b, "%s: %s\n", who, message)
		}
	}
	return b.String()
}
