package jsonmerge

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// Apply lays over upon base, both as encoding/json decodes them, and returns the result; neither is changed. Objects
// are merged key by key, null removes a key, and any other value replaces what was there (RFC 7386), with one
// addition: a list in which each item has a name of its own is merged by name. Its items that base has as well are
// merged in their place, the others follow at the end, so an item can be changed or added but not removed.
func Apply(base, over any) any {
	switch over := over.(type) {
	case map[string]any:
		object, _ := base.(map[string]any)
		return mergeObjects(object, over)
	case []any:
		if named(over) {
			return mergeNamed(namedList(base), over)
		}
		return withoutNulls(over)
	default:
		return over
	}
}

func mergeObjects(base, over map[string]any) map[string]any {
	merged := make(map[string]any, len(base)+len(over))
	maps.Copy(merged, base)
	for key, value := range over {
		if value == nil {
			delete(merged, key)
			continue
		}
		merged[key] = Apply(base[key], value)
	}
	return merged
}

func mergeNamed(base, over []any) []any {
	merged := append([]any{}, base...) // not nil, which would be null
	position := positions(base)
	for _, item := range over {
		if i, ok := position[nameOf(item)]; ok {
			merged[i] = Apply(merged[i], item)
			continue
		}
		merged = append(merged, Apply(nil, item))
	}
	return merged
}

// positions are those of a list's items by name.
func positions(list []any) map[string]int {
	position := make(map[string]int, len(list))
	for i, item := range list {
		position[nameOf(item)] = i
	}
	return position
}

// withoutNulls is a list whose objects have lost their null keys, as merging them into nothing would have done.
func withoutNulls(list []any) []any {
	clean := make([]any, 0, len(list))
	for _, item := range list {
		clean = append(clean, Apply(nil, item))
	}
	return clean
}

// named reports if each item of a list is an object with a name of its own. Of a probe's HTTP headers several may have
// one. An empty list counts as named, so that laying one over changes nothing.
func named(list []any) bool {
	seen := make(map[string]bool, len(list))
	return !slices.ContainsFunc(list, func(item any) bool {
		name := nameOf(item)
		again := seen[name]
		seen[name] = true
		return name == "" || again
	})
}

// namedList is a value if it is a list in which each item has a name of its own; nil: it is none, and nothing of it
// stays.
func namedList(value any) []any {
	if list, ok := value.([]any); ok && named(list) {
		return list
	}
	return nil
}

// nameOf is the name of a list's item; empty: it has none.
func nameOf(item any) string {
	object, _ := item.(map[string]any)
	name, _ := object["name"].(string)
	return name
}

// Stack returns one document which, merged into any base, has the effect of merging first under and then over: a merge
// that keeps the nulls of over. That holds where what is laid over each other is of the same kind (object, list whose
// items have names, other list, other value), as in documents of one schema. Neither is changed. under must have no
// nulls.
func Stack(under, over map[string]any) map[string]any {
	stacked := make(map[string]any, len(under)+len(over))
	maps.Copy(stacked, under)
	for key, value := range over {
		stacked[key] = stackValues(under[key], value)
	}
	return stacked
}

func stackValues(under, over any) any {
	switch over := over.(type) {
	case map[string]any:
		object, _ := under.(map[string]any)
		return Stack(object, over)
	case []any:
		if named(over) {
			return stackNamed(namedList(under), over)
		}
	}
	return over
}

func stackNamed(under, over []any) []any {
	stacked := append([]any{}, under...)
	position := positions(under)
	for _, item := range over {
		if i, ok := position[nameOf(item)]; ok {
			stacked[i] = stackValues(stacked[i], item)
			continue
		}
		stacked = append(stacked, stackValues(nil, item))
	}
	return stacked
}

// Object decodes one JSON object and keeps its numbers as they are written.
func Object(doc []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(doc))
	d.UseNumber()
	var object map[string]any
	if err := d.Decode(&object); err != nil {
		return nil, fmt.Errorf("not a JSON object: %w", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("not a JSON object: more follows after it")
	}
	return object, nil
}
