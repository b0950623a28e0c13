package kube

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// The API server drops an Event whose note is too long, and the recorder doesn't report that.
func TestEventsAreNotTooLong(t *testing.T) {
	for name, text := range map[string]string{
		"short":             "no",
		"just right":        strings.Repeat("x", 1024),
		"too long":          strings.Repeat("x", 1025),
		"in mid-character":  strings.Repeat("x", 1020) + strings.Repeat("é", 10),
		"in mid-character2": strings.Repeat("x", 1019) + strings.Repeat("é", 10),
	} {
		got := note(text)
		if len(got) > 1024 || !utf8.ValidString(got) || len(text) <= 1024 && got != text ||
			len(text) > 1024 && (len(got) < 1020 || !strings.HasSuffix(got, "…")) {
			t.Errorf("%s: %d bytes, …%q", name, len(got), got[max(0, len(got)-8):])
		}
	}
}
