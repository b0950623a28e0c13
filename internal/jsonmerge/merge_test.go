package jsonmerge

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge/jsonmergetest"
)

func TestMerge(t *testing.T) {
	tests := map[string]struct{ base, over, want string }{
		"a new key":                 {`{"a":1}`, `{"b":2}`, `{"a":1,"b":2}`},
		"a nested key":              {`{"a":{"x":1}}`, `{"a":{"y":2}}`, `{"a":{"x":1,"y":2}}`},
		"null removes":              {`{"a":1,"b":2}`, `{"a":null}`, `{"b":2}`},
		"null in what is new":       {`{}`, `{"a":{"x":null,"y":1}}`, `{"a":{"y":1}}`},
		"another kind replaces":     {`{"a":[1]}`, `{"a":{"x":1}}`, `{"a":{"x":1}}`},
		"a list of values replaces": {`{"a":[1,2]}`, `{"a":[3]}`, `{"a":[3]}`},
		"named items merge": {
			`{"a":[{"name":"x","v":1},{"name":"y","v":2}]}`,
			`{"a":[{"name":"y","w":3}]}`,
			`{"a":[{"name":"x","v":1},{"name":"y","v":2,"w":3}]}`,
		},
		"named items are added last": {
			`{"a":[{"name":"x"}]}`,
			`{"a":[{"name":"z"},{"name":"x","v":1}]}`,
			`{"a":[{"name":"x","v":1},{"name":"z"}]}`,
		},
		"a name twice": {
			`{"a":[]}`,
			`{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`,
			`{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`,
		},
		"a name twice where no list was": {
			`{}`,
			`{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`,
			`{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`,
		},
		"a name twice where a list without names was": {
			`{"a":[1]}`,
			`{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`,
			`{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`,
		},
		"a name twice in the base": {
			`{"a":[{"name":"x"},{"name":"x","v":1}]}`,
			`{"a":[{"name":"x","w":2}]}`,
			`{"a":[{"name":"x","w":2}]}`,
		},
		"null in a named item": {
			`{"a":[{"name":"x","v":1}]}`,
			`{"a":[{"name":"x","v":null}]}`,
			`{"a":[{"name":"x"}]}`,
		},
		"an empty list of named ones":  {`{"a":[{"name":"x"}]}`, `{"a":[]}`, `{"a":[{"name":"x"}]}`},
		"an empty list where none was": {`{}`, `{"a":[]}`, `{"a":[]}`},
		"an empty list of values":      {`{"a":[1]}`, `{"a":[]}`, `{"a":[]}`},
		"items without names replace":  {`{"a":[{"name":"x"}]}`, `{"a":[{"key":"k","v":null}]}`, `{"a":[{"key":"k"}]}`},
		"a list where none was":        {`{}`, `{"a":[{"name":"x"}]}`, `{"a":[{"name":"x"}]}`},
		"numbers stay as written":      {`{"a":1}`, `{"a":12345678901234567890}`, `{"a":12345678901234567890}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := Apply(decoded(t, tt.base), decoded(t, tt.over))
			if diff := cmp.Diff(any(decoded(t, tt.want)), got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func decoded(t interface{ Fatal(...any) }, doc string) map[string]any {
	object, err := Object([]byte(doc))
	if err != nil {
		t.Fatal(err)
	}
	return object
}

func copied(t *rapid.T, v any) any {
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return decoded(t, string(doc))
}

func TestMergeProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base := copied(t, jsonmergetest.Objects(false).Draw(t, "base"))
		over := copied(t, jsonmergetest.Objects(true).Draw(t, "over"))
		baseBefore, overBefore := copied(t, base), copied(t, over)
		once := Apply(base, over)
		if diff := cmp.Diff(once, Apply(once, over)); diff != "" {
			t.Fatalf("a second time changes more (-once +twice):\n%s", diff)
		}
		if diff := cmp.Diff(base, Apply(base, map[string]any{})); diff != "" {
			t.Fatalf("nothing changes something:\n%s", diff)
		}
		if diff := cmp.Diff(once, Apply(base, over)); diff != "" {
			t.Fatalf("not deterministic:\n%s", diff)
		}
		if !cmp.Equal(base, baseBefore) || !cmp.Equal(over, overBefore) {
			t.Fatal("an input was changed")
		}
		if path := nullIn(once); path != "" {
			t.Fatalf("%s is null in %v", path, once)
		}
		for key, value := range over.(map[string]any) {
			got, there := once.(map[string]any)[key]
			if value == nil && there {
				t.Fatalf("%s was to be removed", key)
			}
			switch value.(type) {
			case string, json.Number:
				if got != value {
					t.Fatalf("%s = %v, want %v", key, got, value)
				}
			}
		}
	})
}

// nullIn is where a null is; empty: nowhere.
func nullIn(v any) string {
	switch v := v.(type) {
	case nil:
		return "value"
	case map[string]any:
		for key, value := range v {
			if path := nullIn(value); path != "" {
				return key + "." + path
			}
		}
	case []any:
		for _, value := range v {
			if path := nullIn(value); path != "" {
				return "item." + path
			}
		}
	}
	return ""
}

// What is in a list by name keeps its place.
func TestMergeKeepsOrder(t *testing.T) {
	list := rapid.SliceOfDistinct(rapid.StringMatching(`[a-e]`), rapid.ID[string])
	rapid.Check(t, func(t *rapid.T) {
		items := func(names []string) []any {
			all := []any{}
			for _, name := range names {
				all = append(all, map[string]any{"name": name})
			}
			return all
		}
		base, over := list.Draw(t, "base"), list.Draw(t, "over")
		merged := Apply(items(base), items(over)).([]any)
		seen := map[string]bool{}
		for i, item := range merged {
			name := nameOf(item)
			if i < len(base) && name != base[i] || seen[name] {
				t.Fatalf("%v with %v gives %v", base, over, merged)
			}
			seen[name] = true
		}
		for _, name := range append(base, over...) {
			if !seen[name] {
				t.Fatalf("%s is missing in %v", name, merged)
			}
		}
	})
}

// Named lists are stacked in time that grows with their length alone.
func TestStackOfLongLists(t *testing.T) {
	const items = 20_000
	under, over := []any{}, []any{}
	for i := range items {
		under = append(under, map[string]any{"name": fmt.Sprint("u", i), "a": i})
		over = append(over, map[string]any{"name": fmt.Sprint("u", i+items/2), "b": i})
	}
	got, ok := Stack(map[string]any{"l": under}, map[string]any{"l": over})["l"].([]any)
	if !ok || len(got) != items*3/2 {
		t.Fatalf("%d items", len(got))
	}
	both, _ := got[items-1].(map[string]any)
	if both["a"] != items-1 || both["b"] != items/2-1 {
		t.Errorf("the last of both is %v", both)
	}
}

// Stack is what Apply would do in two steps, if a field has the same kind of value in all three, as in a VM's spec.
func TestStackIsMergeInTwoSteps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		base, under, over := shaped(2, false).Draw(t, "base"),
			shaped(2, false).Draw(t, "under"),
			shaped(2, true).Draw(t, "over")
		want := Apply(Apply(base, under), over)
		if got := Apply(base, Stack(under, over)); !cmp.Equal(want, got) {
			t.Fatalf("got %v, want %v", got, want)
		}
	})
}

// A list that has a name several times means the same in two steps as in one.
func TestStackOfRepeatedNames(t *testing.T) {
	const twice = `{"a":[{"name":"x","v":1},{"name":"x","w":2}]}`
	tests := map[string]struct{ under, over string }{
		"laid over nothing":         {`{}`, twice},
		"laid over one":             {`{"a":[{"name":"x","u":0}]}`, twice},
		"laid over another":         {`{"a":[{"name":"y"}]}`, twice},
		"below itself":              {twice, twice},
		"inside what was not there": {`{"b":{}}`, `{"b":{"a":[{"name":"x","c":[{"name":"z"},{"name":"z","v":1}]}]}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			under, over := decoded(t, tt.under), decoded(t, tt.over)
			stacked := Stack(under, over)
			if diff := cmp.Diff(stacked, Stack(stacked, over)); diff != "" {
				t.Errorf("a second time changes more (-once +twice):\n%s", diff)
			}
			base := decoded(t, `{"a":[{"name":"x","u":5}]}`)
			if diff := cmp.Diff(Apply(Apply(base, under), over), Apply(base, stacked)); diff != "" {
				t.Errorf("(-in two steps +in one):\n%s", diff)
			}
		})
	}
}

// shaped draws objects in which a key says what kind of value it has.
func shaped(depth int, nulls bool) *rapid.Generator[map[string]any] {
	return rapid.Custom(func(t *rapid.T) map[string]any {
		object := map[string]any{}
		for _, key := range []string{"scalar", "object", "named"} {
			switch has := rapid.IntRange(0, 3).Draw(t, key); {
			case has == 0 && nulls:
				object[key] = nil
			case has <= 1:
			case key == "scalar":
				object[key] = rapid.Int8().Draw(t, "value")
			case depth == 0:
			case key == "object":
				object[key] = shaped(depth-1, nulls).Draw(t, "value")
			default:
				var list []any
				for _, name := range []string{"p", "q", "r"} {
					if rapid.Bool().Draw(t, name) {
						item := shaped(depth-1, nulls).Draw(t, "item")
						item["name"] = name
						list = append(list, item)
					}
				}
				object[key] = append([]any{}, list...)
			}
		}
		return object
	})
}
