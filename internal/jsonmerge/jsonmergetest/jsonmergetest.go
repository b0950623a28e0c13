// Package jsonmergetest generates documents for tests of what merges them.
package jsonmergetest

import "pgregory.net/rapid"

// Objects generates JSON objects of few keys, so that two of them have some in common. A list may have a name twice.
func Objects(nulls bool) *rapid.Generator[map[string]any] {
	var value func(depth int) *rapid.Generator[any]
	fields := func(depth int) *rapid.Generator[map[string]any] {
		return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c"}), value(depth), 0, 3)
	}
	value = func(depth int) *rapid.Generator[any] {
		kinds := []*rapid.Generator[any]{rapid.Int8().AsAny(), rapid.StringMatching(`[xy]`).AsAny()}
		if nulls {
			kinds = append(kinds, rapid.Just[any](nil))
		}
		if depth > 0 {
			named := rapid.Custom(func(t *rapid.T) any {
				item := fields(depth-1).Draw(t, "item")
				item["name"] = rapid.SampledFrom([]string{"p", "q", "r"}).Draw(t, "name")
				return item
			})
			kinds = append(kinds,
				rapid.Deferred(func() *rapid.Generator[any] { return fields(depth - 1).AsAny() }),
				rapid.Deferred(func() *rapid.Generator[any] { return rapid.SliceOfN(rapid.Int8().AsAny(), 0, 2).AsAny() }),
				rapid.Deferred(func() *rapid.Generator[any] { return rapid.SliceOfN(named, 0, 3).AsAny() }),
			)
		}
		return rapid.OneOf(kinds...)
	}
	return fields(2)
}
