package messages

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Code is the code as far as it speaks: its constant texts, of which messages are made.
type Code struct {
	// texts are those of at least two words, by which a message is known; the longest come first.
	texts []string
	// reasons are the texts without a value: reasons of conditions and Events, and types of conditions, are among them.
	reasons map[string]bool
}

// speaking are the directories whose code speaks of pools and members.
var speaking = []string{"api", "controllers", "internal"}

// twoWords are what a text has to have. What has less is in other programs' words as well, or in a name.
var twoWords = regexp.MustCompile(`[A-Za-z']{2,}[^A-Za-z']* [^A-Za-z']*[A-Za-z']{2,}`)

// ReadCode reads the code below the root of the repository.
func ReadCode(root string) (*Code, error) {
	var texts []Text
	for _, dir := range speaking {
		in, err := TextsIn(filepath.Join(root, dir))
		if err != nil {
			return nil, err
		}
		texts = append(texts, in...)
	}
	return newCode(texts), nil
}

func newCode(texts []Text) *Code {
	c := &Code{reasons: map[string]bool{}}
	for _, text := range texts {
		if len(text) == 1 {
			c.reasons[text[0]] = true
		}
		for _, piece := range text {
			if piece = oneLine(strings.TrimSpace(piece)); twoWords.MatchString(piece) {
				c.texts = append(c.texts, piece)
			}
		}
	}
	slices.SortFunc(c.texts, func(a, b string) int { return cmp.Or(cmp.Compare(len(b), len(a)), cmp.Compare(a, b)) })
	c.texts = slices.Compact(c.texts)
	return c
}

// Undocumented names what is reported and isn't documented, a reason or a text of the code, each with its first
// message. Words of other programs don't count, and nor does the company in which a text is said, because both are
// others each time: what goes wrong first is chance, and so is what Nomad answers to the request that it is just asked.
func (c *Code) Undocumented(reported, documented *Set) (reasons, texts []string) {
	all, known := documented.String(), map[string]bool{}
	for who := range documented.All() {
		known[reasonOf(who)] = true
	}
	for who, message := range reported.All() {
		left, lacks := WithoutOthers(message), func(what string) string {
			return fmt.Sprintf("%q, of\n\t%s: %s", what, who, message)
		}
		if reason := reasonOf(who); !known[reason] {
			known[reason] = true
			all += left // whose texts need no line of their own
			reasons = append(reasons, lacks(reason))
		}
		for _, text := range c.texts {
			if strings.Contains(left, text) && !strings.Contains(all, text) {
				all += left
				texts = append(texts, lacks(text)) // the longest
				break
			}
		}
	}
	return reasons, texts
}

// reasonOf is of which kind of object something is said, and for which reason: which of its conditions has a reason
// first may be chance.
func reasonOf(who string) string {
	kind, what, _ := strings.Cut(who, " ")
	if _, reason, ok := strings.Cut(what, "/"); ok {
		what, _, _ = strings.Cut(reason, " ")
	}
	return kind + " " + what
}
