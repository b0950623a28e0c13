package cloudinit

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge/jsonmergetest"
)

// A judge that lets everything pass is none, and one that has refused something still lets pass what is right.
func TestCloudInitRefuses(t *testing.T) {
	cloudinittest.Need(t)
	t.Parallel()
	bad := []string{
		"#cloud-config\nruncmd: reboot\n", "#cloud-config\nwrite_files: [{content: x}]\n", "#cloud-config\npackages: []\n",
		"#cloud-config\napt: {source: {}}\n", "#cloud-config\na: [\n", "a: b\n", "#cloud-config\n- a\n",
	}
	good := "#cloud-config\nruncmd: [reboot]\n"
	badNetwork, goodNetwork := []string{"version: 2\nethernets: [\n",
		"version: 3\n"}, "version: 2\nethernets: {eth0: {dhcp4: true}}\n"
	complaints, err := cloudinittest.Complaints(t.Context(), slices.Concat([]string{good}, bad, []string{good}),
		slices.Concat([]string{goodNetwork}, badNetwork, []string{goodNetwork}))
	if err != nil {
		t.Fatal(err)
	}
	for i, text := range slices.Concat([]string{good}, bad, []string{good, goodNetwork}, badNetwork, []string{goodNetwork}) {
		if right := text == good || text == goodNetwork; (complaints[i] == "") != right {
			t.Errorf("%q: complaint %q", text, complaints[i])
		}
	}
}

// mergeParts merges parts of user data by cloud-init's own code, the controller's first.
const mergeParts = `
import importlib.util, json, sys
from cloudinit import mergers
mine = mergers.construct(mergers.string_extract_mergers("dict(replace)+list()+str()"))
theirs = mergers.construct(mergers.string_extract_mergers("dict(no_replace,recurse_list)+list(prepend)+str()"))
print(json.dumps([theirs.merge(mine.merge({}, p["ours"]), p["user"]) for p in json.load(sys.stdin)]))
`

// mergeCloudConfig merges as cloud-init does.
func TestMergeIsCloudInits(t *testing.T) {
	cloudinittest.Need(t)
	t.Parallel()
	type pair struct {
		Ours map[string]any `json:"ours"`
		User map[string]any `json:"user"`
	}
	var pairs []pair
	var want []map[string]any
	generator := jsonmergetest.Objects(false)
	for seed := range 400 {
		p := pair{Ours: generator.Example(2 * seed), User: generator.Example(2*seed + 1)}
		if !sameKinds(p.User, p.Ours) {
			continue
		}
		merged, err := mergedMaps(p.User, p.Ours)
		if err != nil {
			t.Fatal(err)
		}
		pairs, want = append(pairs, p), append(want, merged)
	}
	if len(pairs) < 50 {
		t.Fatalf("only %d of the pairs can be merged", len(pairs))
	}
	out := cloudinittest.Ask(t, mergeParts, pairs)
	var got []map[string]any
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	for i := range got {
		if a, b := asJSON(t, want[i]), asJSON(t, got[i]); a != b {
			t.Errorf("%v under %v: ours %s, cloud-init's %s", pairs[i].User, pairs[i].Ours, a, b)
		}
	}
}

// sameKinds reports if what both have is a list, a mapping or something else in both.
func sameKinds(a, b map[string]any) bool {
	for key, left := range a {
		right, both := b[key]
		if !both {
			continue
		}
		inA, isMapA := left.(map[string]any)
		inB, isMapB := right.(map[string]any)
		_, isListA := left.([]any)
		_, isListB := right.([]any)
		if isMapA != isMapB || isListA != isListB || isMapA && !sameKinds(inA, inB) {
			return false
		}
	}
	return true
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	doc, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(doc)
}
