package messages

import (
	"bufio"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
)

// longest is the length in bytes of the longest line that is read.
const longest = 1 << 20

// Set has those of several speakers, one of each shape. The zero value is empty.
type Set struct {
	texts map[string]map[string]string // by who and of what, then by shape
	// given is what was added already. A status is seen each time that anything in it changes, and to find a shape takes
	// time.
	given map[[2]string]bool
}

// Add takes a message. Of two that have the same shape the first in order is kept, whichever came first, so that the
// order in which things are said makes no difference.
func (m *Set) Add(who, message string) {
	message = oneLine(message)
	if m.given[[2]string{who, message}] {
		return
	}
	if m.texts == nil {
		m.texts, m.given = map[string]map[string]string{}, map[[2]string]bool{}
	}
	m.given[[2]string{who, message}] = true
	if m.texts[who] == nil {
		m.texts[who] = map[string]string{}
	}
	shape := Shape(message)
	if kept, ok := m.texts[who][shape]; !ok || message < kept {
		m.texts[who][shape] = message
	}
}

func oneLine(text string) string { return strings.ReplaceAll(text, "\n", " ") }

// Has is true if there is a message of this shape.
func (m *Set) Has(who, message string) bool {
	_, has := m.texts[who][Shape(message)]
	return has
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

// All are the messages in order, each with who says it, and of what.
func (m *Set) All() iter.Seq2[string, string] {
	return func(yield func(who, message string) bool) {
		for _, who := range slices.Sorted(maps.Keys(m.texts)) {
			for _, message := range slices.Sorted(maps.Values(m.texts[who])) {
				if !yield(who, message) {
					return
				}
			}
		}
	}
}

// String has a line for each message.
func (m *Set) String() string {
	var b strings.Builder
	for who, message := range m.All() {
		fmt.Fprintf(&b, "%s: %s\n", who, message)
	}
	return b.String()
}
