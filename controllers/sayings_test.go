package controllers

import (
	"slices"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/test/messages"
)

// docs/troubleshooting.md quotes what the code says today: a message that is changed fails here, not only when the
// messages are recorded the next time.
func TestTroubleshootingQuotesTheCode(t *testing.T) {
	var texts []messages.Text
	for _, dir := range []string{"../api", "../controllers", "../internal"} {
		in, err := messages.TextsIn(dir)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, in...)
	}
	conditions, events := quoted(read(t, "../docs/troubleshooting.md"))
	for _, q := range slices.Concat(conditions, events) {
		for _, part := range q.parts {
			if !slices.ContainsFunc(texts, func(s messages.Text) bool { return saying(s).has(part) }) {
				t.Errorf("no code says %q, which docs/troubleshooting.md quotes of%s", part, " "+strings.TrimSpace(q.what))
			}
		}
	}
}

// docs/messages.txt has nothing that the code can't say any more. What a test run said and it lacks, hack/messages finds.
func TestTheMessagesAreTheCodes(t *testing.T) {
	var documented messages.Set
	if err := documented.Read(strings.NewReader(read(t, "../docs/messages.txt"))); err != nil {
		t.Fatal(err)
	}
	code, err := messages.ReadCode("..")
	if err != nil {
		t.Fatal(err)
	}
	for who, message := range code.Unsayable(&documented).All() {
		t.Errorf("no code says (take it out, or let `make messages` do so; what another program says is in "+
			"test/messages/others.go):\n%s: %s", who, message)
	}
}

// saying is a text of the code: what stands between the values that are put in.
type saying messages.Text

const (
	// enough is how many letters of a quote a piece has to have, for a quote to begin in it, and few for one to end in it
	// after a value of several words that isn't short.
	enough, few = 7, 3
	// longest is how long a value may be, in which no sentence ends.
	short, longest = 12, 80
)

// has reports if the text, with some values, may have the part of a quote in it.
func (s saying) has(part string) bool {
	for i, piece := range s {
		if strings.Contains(piece, part) {
			return true
		}
		for n := enough; n < len(part); n++ {
			if strings.HasSuffix(piece, part[:n]) && s[i+1:].goesOn(part[n:]) {
				return true
			}
		}
	}
	return false
}

// goesOn reports if what is left of a quote is a value, then the next piece or its beginning, and so on.
func (s saying) goesOn(left string) bool {
	if len(s) == 0 {
		return false
	}
	for at := 1; at < len(left) && at <= longest && !strings.HasSuffix(left[:at], ". "); at++ {
		after, whole := strings.CutPrefix(left[at:], s[0])
		ends := len(after) >= few || at <= short || !strings.Contains(left[:at], " ")
		if ends && strings.HasPrefix(s[0], left[at:]) || whole && s[0] != "" && s[1:].goesOn(after) {
			return true
		}
	}
	return false
}

func TestSayingHas(t *testing.T) {
	texts := saying{"The Nomad node ", " is ", ". Look at its host."}
	for part, want := range map[string]bool{
		"Look at its": true, "Nomad node x is down": false, "The Nomad node x is down. Look": true,
		"Nomad node x is": true, "The Nomad node x was": false, "x is down. Look": false, "Look at its hosts": false,
		"The Nomad node was thrown away ": false, "The Nomad node x. It is gone is down": false,
	} {
		if got := texts.has(part); got != want {
			t.Errorf("%q: %t, want %t", part, got, want)
		}
	}
}
