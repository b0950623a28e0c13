package cloudinit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

// compareDocuments reads each pair of documents with cloud-init's own loader and returns of which it can't read the
// second one; of those whose first one it can read, which mean something else; and how many there are.
const compareDocuments = `
import json, sys
from cloudinit import safeyaml
read, different = 0, []
for before, after in json.load(sys.stdin):
    try:
        want = repr(safeyaml.load(before))
    except Exception:
        want = None
    read += want is not None
    try:
        got = repr(safeyaml.load(after))
    except Exception as e:
        got, want = repr(e), want or "nothing"
    if want is not None and want != got and not (want == "None" and got == "{}"):
        different.append([before, after, want, got])
print(json.dumps({"read": read, "different": different}))
`

// Whatever of user data is accepted means to cloud-init what it meant before.
func TestYAMLMeansTheSame(t *testing.T) {
	t.Parallel()
	var pairs [][2]string
	for _, doc := range cloudinittest.AwkwardDocuments() {
		root, err := parseYAMLMapping(doc)
		if err != nil {
			continue
		}
		again, err := writeYAML(root)
		if err != nil {
			t.Fatalf("%q: %v", doc, err)
		}
		pairs = append(pairs, [2]string{doc, again})
	}
	out := cloudinittest.Ask(t, compareDocuments, pairs)
	var result struct {
		Read      int
		Different [][4]string
	}
	if err := json.Unmarshal(out, &result); err != nil {
		t.Fatal(err)
	}
	for i, d := range result.Different {
		if i < 20 {
			t.Errorf("%q is written as %q: %s, was %s", d[0], d[1], d[3], d[2])
		}
	}
	t.Logf("%d documents, of which cloud-init reads %d", len(pairs), result.Read)
	if result.Read < 400 {
		t.Errorf("cloud-init reads only %d of the documents", result.Read)
	}
}

// kindOfValues returns for each document what cloud-init takes its value x for.
const kindOfValues = `
import json, sys
from cloudinit import safeyaml
def kind(text):
    try:
        x = safeyaml.load(text)["x"]
    except Exception as e:
        return "unreadable"
    return "text " + x if isinstance(x, str) else type(x).__name__
print(json.dumps([kind(text) for text in json.load(sys.stdin)]))
`

// What we take for text is text to cloud-init, the same; what is text to it alone looks like something else, and is
// none of our paths.
func TestTextIsCloudInitsText(t *testing.T) {
	t.Parallel()
	values := append([]string{
		"!!python/unicode /etc/x", "!!python/unicode 12", "!!str /etc/x", "! /etc/x", "! '12'",
		"!<tag:yaml.org,2002:str> /etc/x", "!!binary L2V0Yy94",
		"!!timestamp 2001-12-14", "!!null /etc/x", "/etc/x", "'/etc/x'", "|-\n   /etc/x\n", ">-\n   /etc/x\n", "&a /etc/x",
		"\"\\x2fetc/x\"",
	}, cloudinittest.Awkward...)
	var docs []string
	var nodes []*yaml.Node
	for _, value := range values {
		n, err := parseYAMLMapping("x: " + value)
		if err != nil || valueOf(n, "x") == nil {
			continue
		}
		written, err := writeYAML(n)
		if err != nil {
			t.Fatal(err)
		}
		docs, nodes = append(docs, written), append(nodes, valueOf(n, "x"))
	}
	var kinds []string
	if err := json.Unmarshal(cloudinittest.Ask(t, kindOfValues, docs), &kinds); err != nil {
		t.Fatal(err)
	}
	texts := 0
	for i, kind := range kinds {
		text, is := strings.CutPrefix(kind, "text ")
		switch n := nodes[i]; {
		case isText(n):
			texts++
			if !is || text != n.Value {
				t.Errorf("%q is text to us, and %q to cloud-init", docs[i], kind)
			}
		case is && (n.Kind != yaml.ScalarNode || n.Tag != "" || !notText.MatchString(n.Value)):
			t.Errorf("%q isn't text to us, and %q to cloud-init", docs[i], kind)
		}
	}
	if texts < 30 {
		t.Errorf("only %d are text", texts)
	}
}

// The author of a pool must not be able to use up the time of all other pools.
func TestYAMLIsLinear(t *testing.T) {
	keys := func(n int, line string) string {
		var b strings.Builder
		b.WriteString("#cloud-config\n")
		for i := range n {
			fmt.Fprintf(&b, line, i)
		}
		return b.String()
	}
	for name, tt := range map[string]struct{ text, problem string }{
		"many keys": {keys(9_000, "%d:\n"), "more than 1000 keys"},
		"deep":      {"#cloud-config\na: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "more than 100 deep"},
		"long":      {keys(60_000, "- %d\n"), "at most 65536 are taken"},
		"far right": {"#cloud-config\na: " + strings.Repeat("{a: ", 90) + "[" + strings.Repeat("x, ", 20_000) + "]" +
			strings.Repeat("}", 90), "more than 4000 keys and values"},
		"a long text, often": {"#cloud-config\na: &a " + strings.Repeat("x", 60_000) + "\nb: [" +
			strings.Repeat("*a ,", 20) + "]\n", "longer than 1 MiB"},
		"many mappings": {"#cloud-config\n" + keysOf(19, 100), ""},
		"a tagged key":  {"#cloud-config\nwrite_files: []\n!!str write_files: []\n", "a key with a tag"},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now() //nolint:forbidigo // this is about how long it takes
			_, err := parseUserData(tt.text)
			if took := time.Since(began); took > 2*time.Second { //nolint:forbidigo // this is about how long it takes
				t.Errorf("took %s", took)
			}
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("got %v, want %q", err, tt.problem)
			}
		})
	}
}

// keysOf are mappings with many keys each.
func keysOf(mappings, keys int) string {
	var b strings.Builder
	for i := range mappings {
		fmt.Fprintf(&b, "m%d: {", i)
		for k := range keys / 10 {
			fmt.Fprintf(&b, "k%d: , ", k)
		}
		b.WriteString("}\n")
	}
	return b.String()
}

// Over what PyYAML can't make of what it takes it for, cloud-init would do nothing of the whole document.
func TestYAMLValuesThatAreNone(t *testing.T) {
	for value, want := range map[string]string{
		"2024-02-30":                     "line 3: a date that isn't in the calendar; put it into quotes if it is text",
		"2023-11-31":                     "line 3: a date that isn't in the calendar",
		"2024-01-01 25:00:00":            "line 3: a date that isn't in the calendar",
		"2024-01-01 00:00:00 +24":        "line 3: a date that isn't in the calendar",
		"0001-01-01 00:00:00 +1":         "line 3: a date that isn't in the calendar",
		"0x_":                            "line 3: a number without digits; put it into quotes",
		"-0b__":                          "line 3: a number without digits",
		strings.Repeat("1", 5000):        "line 3: a number of more than 256 characters; put it into quotes",
		strings.Repeat("1:", 180) + "1.": "line 3: a number of more than 256 characters",
		"!!int 5":                        "line 3: a tag that cloud-init doesn't know, or may fail over; leave it out",
		"!!float abc":                    "line 3: a tag",
		"!!bool maybe":                   "line 3: a tag",
		"!!timestamp abc":                "line 3: a tag",
		"!!omap [a]":                     "line 3: a tag",
		"!!pairs [a]":                    "line 3: a tag",
		"!!set {a}":                      "line 3: a tag",
		"!!binary abc":                   "line 3: what is not base64, though it has the tag !!binary; encode it anew",
		"!!binary '*'":                   "line 3: what is not base64",
		"{2024-02-30: x}":                "line 3: a date",
		"2024-02-29":                     "",
		"2024-02-29 23:59:59 -23:59":     "",
		"9999-12-31":                     "",
		"'2024-02-30'":                   "",
		"2024-02-30x":                    "",
		"0x_1":                           "",
		"!!str 2024-02-30":               "",
		"!!null 2024-02-30":              "",
		"!!binary aGVsbG8=":              "",
	} {
		_, err := parseYAMLMapping("# first\na: 1\nb: " + value + "\n")
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%.40s: %v, want %q", value, err, want)
		}
	}
}
