package cloudinit

import (
	"cmp"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// PyYAML fails over a whole document because of one value that looks like a date or a number and isn't one, or that
// doesn't match its tag (PyYAML: lib/yaml/constructor.py). cloud-init then ignores all of the user data, what the
// member needs included.

// knownTags are the tags that every text, list and mapping can have. Tags of numbers, dates and pairs aren't needed,
// because the plain form is enough, and PyYAML fails over them in many ways.
var knownTags = map[yaml.Kind][]string{
	yaml.ScalarNode:   {"!!str", "!!null", "!!binary"},
	yaml.SequenceNode: {"!!seq"},
	yaml.MappingNode:  {"!!map"},
}

var (
	// date matches what PyYAML takes for a date: its day, its time of day and its offset from UTC (PyYAML:
	// lib/yaml/resolver.py).
	date = regexp.MustCompile(
		`^(?:([0-9]{4}-[0-9]{2}-[0-9]{2})|([0-9]{4}-[0-9]{1,2}-[0-9]{1,2})(?:[Tt]|[ \t]+)([0-9]{1,2}:[0-9]{2}:[0-9]{2})(?:\.[0-9]*)?` +
			`(?:[ \t]*(?:Z|([-+])([0-9]{1,2})(?::([0-9]{2}))?))?)$`,
	)
	// noDigits matches a number in another base without a digit.
	noDigits = regexp.MustCompile(`^[-+]?0[bx]_+$`)
	// number matches what PyYAML may take for a number.
	number = regexp.MustCompile(
		`^[-+]?(?:0[bx][0-9a-fA-F_]+|[0-9][0-9_]*(?::[0-5]?[0-9])*(?:\.[0-9_]*)?(?:[eE][-+][0-9]+)?)$`,
	)
)

// longestNumber is far more than a number needs. Python takes no text of more than 4300 digits for one, and a
// fraction in base 60 of more than 170 parts is more than it can count.
const longestNumber = 256

// unreadable returns why PyYAML would fail over a scalar; empty: it wouldn't.
func unreadable(n *yaml.Node) string {
	switch {
	case n.ShortTag() == "!!binary":
		if _, err := decodeBase64(n.Value); err != nil {
			return "what is not base64, though it has the tag !!binary; encode it anew"
		}
	case n.Style&yaml.TaggedStyle != 0 || !plain(n): // Text, or nothing.
	case noDigits.MatchString(n.Value):
		return "a number without digits; put it into quotes"
	case len(n.Value) > longestNumber && number.MatchString(n.Value):
		return "a number of more than " + strconv.Itoa(longestNumber) + " characters; put it into quotes"
	case date.MatchString(n.Value) && !inCalendar(n.Value):
		return "a date that isn't in the calendar; put it into quotes if it is text"
	}
	return ""
}

// inCalendar reports if Python accepts a date: its years are 1 to 9999, in UTC too.
func inCalendar(text string) bool {
	m := date.FindStringSubmatch(text)
	day, clock := m[1]+m[2], cmp.Or(m[3], "0:00:00")
	at, err := time.Parse("2006-1-2 15:04:05", day+" "+clock)
	if err != nil {
		return false
	}
	hours, _ := strconv.Atoi(m[5]) // These are digits, or none.
	minutes, _ := strconv.Atoi(m[6])
	ahead := time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute
	utc := at.Add(-ahead)
	if m[4] == "-" {
		utc = at.Add(ahead)
	}
	return ahead < 24*time.Hour && at.Year() >= 1 && utc.Year() >= 1 && utc.Year() <= 9999
}
