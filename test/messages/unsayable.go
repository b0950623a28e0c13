package messages

import (
	"regexp"
	"strings"
)

// Unsayable are the documented messages that no code says: it has no such reason, or there are words in the message
// that are no text of the code's, no value and no other program's.
func (c *Code) Unsayable(documented *Set) *Set {
	gone := &Set{}
	for who, message := range documented.All() {
		if !c.hasReason(who) || c.unexplained(message) != "" {
			gone.Add(who, message)
		}
	}
	return gone
}

// hasReason goes by "pool Event Reason" or "pool Condition/Reason Status".
func (c *Code) hasReason(who string) bool {
	_, what, _ := strings.Cut(who, " ")
	if reason, ok := strings.CutPrefix(what, "Event "); ok {
		return c.reasons[reason]
	}
	what, _, _ = strings.Cut(what, " ")
	condition, reason, _ := strings.Cut(what, "/")
	return c.reasons[condition] && c.reasons[reason]
}

var (
	// values are what is quoted, paths and keys, and what Shape and WithoutOthers put in the place of others.
	values = regexp.MustCompile(`"[^"]*"|[^\s"]+[./=][^\s"]+|\b(TIME|ID|ADDRESS|NAMES?|ALLOCATION|N|WORDS)\b`)
	// threeWords are no value, but a sentence or a part of one.
	threeWords = regexp.MustCompile(`\b[A-Za-z']+[,;]? [A-Za-z']+[,;]? [A-Za-z']+\b`)
)

// unexplained is a part of a message that isn't made of the code's texts, or empty.
func (c *Code) unexplained(message string) string {
	message = WithoutOthers(message)
	left := []byte(message)
	for _, text := range c.texts {
		for at := 0; ; at++ {
			next := strings.Index(message[at:], text)
			if next < 0 {
				break
			}
			at += next
			copy(left[at:], strings.Repeat("\n", len(text)))
		}
	}
	for part := range strings.SplitSeq(string(left), "\n") {
		if words := threeWords.FindString(values.ReplaceAllString(Shape(part), "\n")); words != "" {
			return words
		}
	}
	return ""
}
