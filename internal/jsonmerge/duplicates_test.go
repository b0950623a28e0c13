package jsonmerge_test

import (
	"slices"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge"
)

func TestDuplicates(t *testing.T) {
	for doc, want := range map[string][]jsonmerge.Duplicate{
		`{}`: nil,
		`{"a":[{"name":"x"},{"name":"y"}],"b":[{"name":"x"}]}`:                     nil,
		`{"a":[{"name":"x"},{"name":"x"},{"name":"x"}]}`:                           {{"a", "x"}},
		`{"a":[{"name":"x"},{"name":"x"},{"other":"x"}]}`:                          nil, // not merged by name
		`{"b":{"c":[{"name":"x"},{"name":"x"}]},"a":[{"name":"y"},{"name":"y"}]}`:  {{"a", "y"}, {"b.c", "x"}},
		`{"a":[{"name":"x"},{"name":"z","b":[{"name":"y"},{"name":"y"}]}]}`:        {{"a[1].b", "y"}},
		`{"a":[1,{"b":[{"name":"y"},{"name":"y"},{"name":"z"},{"name":"z"}]},[]]}`: {{"a[1].b", "y"}, {"a[1].b", "z"}},
	} {
		object, err := jsonmerge.Object([]byte(doc))
		if err != nil {
			t.Fatal(err)
		}
		if got := jsonmerge.Duplicates(object); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", doc, got, want)
		}
	}
}
