package jsonmerge

import (
	"fmt"
	"maps"
	"slices"
)

// Duplicate is a name that several items of a list have, and where the list is: "spec.disks", "spec.networks[2].ports".
type Duplicate struct{ Path, Name string }

// Duplicates are the names that several items have of a list that is merged by name, in the order of their paths. Apply
// makes one item of them.
func Duplicates(object map[string]any) []Duplicate { return duplicates("", object) }

func duplicates(path string, value any) (found []Duplicate) {
	switch value := value.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			at := key
			if path != "" {
				at = path + "." + key
			}
			found = append(found, duplicates(at, value[key])...)
		}
	case []any:
		if named(value) {
			found = sameNames(path, value)
		}
		for i, item := range value {
			found = append(found, duplicates(fmt.Sprintf("%s[%d]", path, i), item)...)
		}
	}
	return found
}

func sameNames(path string, list []any) (found []Duplicate) {
	times := map[string]int{}
	for _, item := range list {
		name := nameOf(item)
		if times[name]++; times[name] == 2 {
			found = append(found, Duplicate{path, name})
		}
	}
	return found
}
