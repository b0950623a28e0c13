package record

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

// Messages are those of several speakers, one of each shape. The zero value is empty.
type Messages struct {
	said map[string]map[string]string // by who and of what, then by shape
}

// Add takes a message. Of two that have the same shape the first in order is kept, whichever came first, so that the
// order in which things are said makes no difference.
func (m *Messages) Add(who, message string) {
	message = strings.ReplaceAll(message, "\n", " ")
	if m.said == nil {
		m.said = map[string]map[string]string{}
	}
	if m.said[who] == nil {
		m.said[who] = map[string]string{}
	}
	shape := Shape(message)
	if kept, ok := m.said[who][shape]; !ok || message < kept {
		m.said[who][shape] = message
	}
}

// Read adds what was written before.
func (m *Messages) Read(r io.Reader) error {
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
func (m *Messages) String() string {
	var b strings.Builder
	for _, who := range slices.Sorted(maps.Keys(m.said)) {
		for _, message := range slices.Sorted(maps.Values(m.said[who])) {
			fmt.Fprintf(&b, "%s: %s\n", who, message)
		}
	}
	return b.String()
}
