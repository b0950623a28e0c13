package cloudinit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// YAML is kept as it was written: scalars keep their text and their quotes. cloud-init reads it with PyYAML, which
// takes other words for numbers, booleans and dates than Go's parsers do. Only aliases and merge keys are replaced by
// their values, because two documents may use the same anchor for different values.

// maxYAML is how long a document may get when its aliases are replaced: no Secret holds more.
const maxYAML = 1 << 20

// notText matches the plain scalars that PyYAML, YAML 1.1 or YAML 1.2 takes for something else than text
// (PyYAML: lib/yaml/resolver.py).
var notText = regexp.MustCompile(`^(?:` +
	`|~|null|Null|NULL|<<|=` +
	`|y|Y|n|N|yes|Yes|YES|no|No|NO|true|True|TRUE|false|False|FALSE|on|On|ON|off|Off|OFF` +
	`|[-+]?0[bB][0-1_]+|[-+]?0[oO]?[0-7_]+|[-+]?0[xX][0-9a-fA-F_]+|[-+]?[0-9][0-9_]*` +
	`|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?` +
	`|[-+]?(?:[0-9][0-9_]*)?\.?[0-9_]*(?:[eE][-+]?[0-9]+)?` +
	`|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)` +
	`|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:(?:[Tt]|[ \t]+).*)?` +
	`)$`)

// nullText matches the plain scalars that are null.
var nullText = regexp.MustCompile(`^(?:~|null|Null|NULL|)$`)

// parseYAMLMapping reads a single YAML document that is a mapping or empty. Errors name the line, and never quote the
// document, which may come from a Secret.
func parseYAMLMapping(text string) (*yaml.Node, error) {
	decoder := yaml.NewDecoder(strings.NewReader(text))
	doc := &yaml.Node{}
	switch err := decoder.Decode(doc); {
	case errors.Is(err, io.EOF):
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	case err != nil:
		return nil, notYAML(text, err)
	}
	switch err := decoder.Decode(&yaml.Node{}); {
	case err == nil:
		return nil, errors.New("it holds more than one YAML document; cloud-init reads only one")
	case !errors.Is(err, io.EOF):
		return nil, notYAML(text, err)
	}
	x := &expander{left: maxYAML, open: map[*yaml.Node]bool{}}
	root, err := x.node(doc.Content[0])
	switch {
	case err != nil:
		return nil, err
	case isNull(root):
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	case !isMapping(root):
		return nil, errors.New("it is not a mapping of keys to values")
	}
	return root, nil
}

// unknownAnchor matches the only error of the parser that quotes the document (go.yaml.in/yaml/v3: decode.go).
var unknownAnchor = regexp.MustCompile(`(?s)unknown anchor '(.*)' referenced`)

func notYAML(text string, err error) error {
	message := strings.TrimPrefix(err.Error(), "yaml: ")
	if m := unknownAnchor.FindStringSubmatch(message); m != nil {
		before, _, _ := strings.Cut(text, "*"+m[1])
		return atLine(1+strings.Count(before, "\n"),
			"an alias (*name) of what has no such anchor (&name); quote the value if it is meant to begin with *")
	}
	return errors.New(
		"not valid YAML: " + message +
			"; see there, and above for what was opened and isn't closed: a list, a mapping or a quote")
}

func atLine(line int, message string) error {
	return fmt.Errorf("not valid YAML: line %d: %s", line, message)
}

// expander copies a document, without comments, and with aliases and merge keys replaced by their values.
type expander struct {
	// left is how much longer the document may get, and values how many values it has.
	left, values int
	// open are the lists and mappings that are being copied.
	open map[*yaml.Node]bool
}

// The limits of a document: more than people write, and little enough that reading it keeps nobody waiting.
const (
	mostKeys   = 1000
	mostDepth  = 100
	mostBytes  = 64 << 10
	mostValues = 4000
)

func checkLength(text string) error {
	if len(text) > mostBytes {
		return fmt.Errorf("it has %d bytes, and at most %d are taken; fetch the rest in the guest", len(text), mostBytes)
	}
	return nil
}

func (x *expander) node(n *yaml.Node) (*yaml.Node, error) {
	if n.Kind == yaml.AliasNode {
		if x.open[n.Alias] {
			return nil, atLine(n.Line, "an alias within what it stands for")
		}
		return x.node(n.Alias)
	}
	// Each value takes a separator, a space or a line's end, and at least a space for each level of its depth.
	if x.left -= len(n.Value) + 2 + len(x.open); x.left < 0 {
		return nil, errors.New(
			"it is longer than 1 MiB with what its aliases stand for, more than a Secret holds; make it shorter")
	}
	if x.values++; x.values > mostValues {
		return nil, atLine(n.Line, fmt.Sprintf("more than %d keys and values, with what aliases stand for, until here",
			mostValues))
	}
	out := &yaml.Node{Kind: n.Kind, Value: n.Value, Line: n.Line}
	if n.Style&yaml.TaggedStyle != 0 {
		if !slices.Contains(knownTags[n.Kind], n.ShortTag()) {
			return nil, atLine(n.Line, "a tag that cloud-init doesn't know, or may fail over; leave it out")
		}
		out.Tag, out.Style = n.Tag, yaml.TaggedStyle
	}
	if n.Kind == yaml.ScalarNode {
		if why := unreadable(n); why != "" {
			return nil, atLine(n.Line, why)
		}
	}
	if len(x.open) > mostDepth {
		return nil, atLine(n.Line, fmt.Sprintf("lists and mappings within each other, more than %d deep", mostDepth))
	}
	x.open[n] = true
	defer delete(x.open, n)
	var err error
	switch n.Kind {
	case yaml.MappingNode:
		out.Content, err = x.pairs(n)
	case yaml.SequenceNode:
		out.Content, err = x.items(n)
	default:
		out.Style |= style(n)
	}
	return out, err
}

func (x *expander) items(n *yaml.Node) ([]*yaml.Node, error) {
	items := make([]*yaml.Node, 0, len(n.Content))
	for _, child := range n.Content {
		item, err := x.node(child)
		if err != nil {
			return nil, err
		}
		items = append(items, item)
	}
	return items, nil
}

// pairs are the keys of a mapping and their values. Those of merge keys come first, as in PyYAML, where the last value
// of a key counts (PyYAML: constructor.py, flatten_mapping). A key that is written twice is an error.
func (x *expander) pairs(n *yaml.Node) ([]*yaml.Node, error) {
	var merged, direct []*yaml.Node
	seen := map[keyName]bool{}
	if len(n.Content) > 2*mostKeys {
		return nil, atLine(n.Line, fmt.Sprintf("a mapping with more than %d keys", mostKeys))
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if isMergeKey(n.Content[i]) {
			more, err := x.merged(n.Content[i+1])
			if err != nil {
				return nil, err
			}
			merged = append(merged, more...)
			continue
		}
		pair, err := x.items(&yaml.Node{Content: n.Content[i : i+2]})
		if err != nil {
			return nil, err
		}
		key := n.Content[i]
		switch {
		case pair[0].Kind != yaml.ScalarNode:
			return nil, atLine(key.Line, "a key that is a list or a mapping")
		case pair[0].Tag != "":
			return nil, atLine(key.Line, "a key with a tag, by which cloud-init may take it for another; leave the tag out")
		}
		name := nameOfKey(pair[0])
		if seen[name] {
			return nil, atLine(key.Line, "a key that the same mapping has already")
		}
		seen[name] = true
		direct = append(direct, pair...)
	}
	return overwritten(merged, direct), nil
}

// merged are the keys and values that a merge key stands for.
func (x *expander) merged(value *yaml.Node) ([]*yaml.Node, error) {
	out, err := x.node(value)
	if err != nil {
		return nil, err
	}
	sources := []*yaml.Node{out}
	if out.Kind == yaml.SequenceNode {
		sources = out.Content
	}
	var pairs []*yaml.Node
	for _, source := range slices.Backward(sources) {
		if source.Kind != yaml.MappingNode {
			return nil, atLine(value.Line, "a merge key (<<) of what is neither a mapping nor a list of mappings")
		}
		pairs = append(pairs, source.Content...)
	}
	return pairs, nil
}

func isMergeKey(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!merge"
}

// overwritten returns the pairs of both, each key once, with its last value.
func overwritten(under, over []*yaml.Node) []*yaml.Node {
	var all []*yaml.Node
	at := map[keyName]int{}
	for _, pairs := range [][]*yaml.Node{under, over} {
		for i := 0; i+1 < len(pairs); i += 2 {
			name := nameOfKey(pairs[i])
			if here, known := at[name]; known {
				all[here+1] = pairs[i+1]
				continue
			}
			at[name] = len(all)
			all = append(all, pairs[i], pairs[i+1])
		}
	}
	return all
}

// keyName identifies a key as PyYAML does: text by its value, however it is written, and anything else, such as a
// number, by its form as well. It is a map's key, so that a document with many keys doesn't take quadratic time.
type keyName struct{ form, value string }

func nameOfKey(key *yaml.Node) keyName {
	if isText(key) {
		return keyName{"text", key.Value}
	}
	return keyName{fmt.Sprint(key.Kind, " ", key.Tag, " ", plain(key)), key.Value}
}

// placesOf returns the index of each key among pairs.
func placesOf(pairs []*yaml.Node) map[keyName]int {
	places := make(map[keyName]int, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		name := nameOfKey(pairs[i])
		if _, known := places[name]; !known {
			places[name] = i
		}
	}
	return places
}

// style is how a scalar is written: plain if it was plain, because quotes would turn a number into text; otherwise as
// text.
func style(n *yaml.Node) yaml.Style {
	if plain(n) {
		if n.Tag == "!!merge" || n.Value == "=" {
			return yaml.DoubleQuotedStyle // as values; PyYAML fails over them unless they are quoted
		}
		return 0
	}
	return textStyle(n.Value)
}

// literal matches text of several lines that is written as a block, which is best to read. Other text is quoted, so
// that no parser changes its spaces and line ends.
var literal = regexp.MustCompile(`^[!-~][\t\n -~]*[\t -~]\n?$`)

func textStyle(value string) yaml.Style {
	if strings.Contains(value, "\n") && literal.MatchString(value) {
		return yaml.LiteralStyle
	}
	return yaml.DoubleQuotedStyle
}

const quotedStyles = yaml.SingleQuotedStyle | yaml.DoubleQuotedStyle | yaml.LiteralStyle | yaml.FoldedStyle

func plain(n *yaml.Node) bool { return n.Style&quotedStyles == 0 }

// isText reports if PyYAML reads a scalar as a string.
func isText(n *yaml.Node) bool {
	if n.Kind != yaml.ScalarNode {
		return false
	}
	if n.Tag != "" {
		return n.ShortTag() == "!!str"
	}
	return !plain(n) || !notText.MatchString(n.Value)
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode &&
		(n.ShortTag() == "!!null" || n.Tag == "" && plain(n) && nullText.MatchString(n.Value))
}

func isList(n *yaml.Node) bool {
	return n.Kind == yaml.SequenceNode && (n.Tag == "" || n.ShortTag() == "!!seq")
}

func isMapping(n *yaml.Node) bool {
	return n.Kind == yaml.MappingNode && (n.Tag == "" || n.ShortTag() == "!!map")
}

// valueOf is the value of a key of a mapping; nil: n is no mapping or doesn't have it.
func valueOf(n *yaml.Node, key string) *yaml.Node {
	name := nameOfKey(textNode(key))
	for k, value := range entriesOf(n) {
		if nameOfKey(k) == name {
			return value
		}
	}
	return nil
}

// entriesOf are the keys and values of a mapping; none: n is no mapping.
func entriesOf(n *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n == nil || !isMapping(n) {
			return
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if !yield(n.Content[i], n.Content[i+1]) {
				return
			}
		}
	}
}

// itemsOf are the items of a list; none: n is no list.
func itemsOf(n *yaml.Node) []*yaml.Node {
	if n == nil || !isList(n) {
		return nil
	}
	return n.Content
}

// textOf is the value of a scalar that is text; empty: n is something else.
func textOf(n *yaml.Node) string {
	if n == nil || !isText(n) {
		return ""
	}
	return n.Value
}

func textNode(value string) *yaml.Node {
	n := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: value}
	if notText.MatchString(value) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' || r > '~' }) {
		n.Style = textStyle(value)
	}
	return n
}

// yamlNode is a value of the controller's own: mappings, lists, text and booleans.
func yamlNode(value any) *yaml.Node {
	switch value := value.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for _, key := range slices.Sorted(maps.Keys(value)) {
			n.Content = append(n.Content, textNode(key), yamlNode(value[key]))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range value {
			n.Content = append(n.Content, yamlNode(item))
		}
		return n
	case string:
		return textNode(value)
	default:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: fmt.Sprint(value)}
	}
}

// writeYAML writes a document.
func writeYAML(n *yaml.Node) (string, error) {
	var b bytes.Buffer
	encoder := yaml.NewEncoder(&b)
	encoder.SetIndent(2)
	encoder.CompactSeqIndent()
	if err := encoder.Encode(n); err != nil {
		return "", err
	}
	return b.String(), encoder.Close()
}
