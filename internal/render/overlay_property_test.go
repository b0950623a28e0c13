package render_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
)

// fixed are the demands that speak of nothing which an overlay may change.
var fixed = []string{
	"metadata.ownerReferences", "metadata.annotations", "metadata.name", "metadata.namespace", "label harvesterhci.io",
	"our labels are on the template",
	"annotation", "metadata.finalizers", "claims'", "volumes[0]", "volume cloudinitdisk", "its Secret",
	"spec.dataVolumeTemplates",
	"spec.runStrategy", "resources.limits", "hostname", "nodeSelector", "interfaces' macAddress",
	"name and namespace", "creator and os", "prefix", "key pairs", "membership", "claim names", "the Secret's own marks",
}

func isFixed(demand string) bool {
	return slices.ContainsFunc(fixed, func(start string) bool { return strings.HasPrefix(demand, start) })
}

// Whatever an overlay sets, empties or removes, at whatever depth: either pre-flight refuses it, or the member is
// still what Harvester wants.
func TestNoOverlayBreaksTheMember(t *testing.T) {
	m := blueprinttest.Member()
	m.Template.Labels = nil
	doc, err := json.Marshal(rendertest.Member(t, m, blueprinttest.Facts()).VM.Spec)
	if err != nil {
		t.Fatal(err)
	}
	var base map[string]any
	if err := json.Unmarshal(doc, &base); err != nil {
		t.Fatal(err)
	}
	paths := pathsOf(base)
	value := rapid.SampledFrom(
		[]any{nil, nil, map[string]any{}, []any{}, "x", "1", 1, true, map[string]any{"x": "y"}, map[string]any{"name": "x"}})
	accepted := 0
	check := func(t *rapid.T) {
		var over any = map[string]any{}
		for range rapid.IntRange(1, 3).Draw(t, "changes") {
			path := rapid.SampledFrom(paths).Draw(t, "path")
			set := nested(path, value.Draw(t, "value"))
			over = combine(over, set)
		}
		doc, err := json.Marshal(over)
		if err != nil {
			t.Fatal(err)
		}
		changed := m
		changed.Template.VirtualMachine = blueprinttest.Overlay(string(doc))
		r, err := render.Member(changed, blueprinttest.Facts())
		var invalid *render.InvalidError
		if errors.As(err, &invalid) {
			return
		}
		if err != nil {
			t.Fatalf("%s: Check found nothing, Render failed: %v", doc, err)
		}
		accepted++
		for demand, wrong := range wrongs(changed, r, isFixed) {
			if isFixed(demand) {
				t.Fatalf("%s: %s: %s", doc, demand, wrong)
			}
		}
	}
	for range 20 { // most overlays are refused, now and then a hundred in a row
		if rapid.Check(t, check); accepted > 0 {
			break
		}
	}
	if accepted == 0 {
		t.Error("no overlay was accepted: the test has seen nothing")
	}
}

// step is a key of an object, or the name of a list's item.
type step struct {
	key    string
	isItem bool
}

// pathsOf are the paths to every value in a document.
func pathsOf(doc any) [][]step {
	paths := [][]step{}
	add := func(s step, value any) {
		paths = append(paths, []step{s})
		for _, rest := range pathsOf(value) {
			paths = append(paths, append([]step{s}, rest...))
		}
	}
	switch doc := doc.(type) {
	case map[string]any:
		for key, value := range doc {
			add(step{key: key}, value)
		}
	case []any:
		for _, item := range doc {
			object, _ := item.(map[string]any)
			if name, _ := object["name"].(string); name != "" {
				add(step{key: name, isItem: true}, item)
			}
		}
	}
	slices.SortFunc(paths, func(a, b []step) int {
		return slices.CompareFunc(a, b, func(x, y step) int { return slices.Compare([]string{x.key}, []string{y.key}) })
	})
	return paths
}

// nested is the overlay that sets one path.
func nested(path []step, value any) any {
	if len(path) == 0 {
		return value
	}
	inner := nested(path[1:], value)
	if !path[0].isItem {
		return map[string]any{path[0].key: inner}
	}
	item, ok := inner.(map[string]any)
	if !ok {
		return []any{inner}
	}
	named := map[string]any{"name": path[0].key}
	for key, value := range item {
		named[key] = value
	}
	return []any{named}
}

// combine is merge, but keeps nulls: they are what is tested.
func combine(a, b any) any {
	x, isX := a.(map[string]any)
	y, isY := b.(map[string]any)
	if !isX || !isY {
		return b
	}
	both := map[string]any{}
	for key, value := range x {
		both[key] = value
	}
	for key, value := range y {
		if _, there := both[key]; there {
			value = combine(both[key], value)
		}
		both[key] = value
	}
	return both
}
