package machine

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// rendered are all user and network data that the tests of this package render, and the test that rendered each first.
var rendered = struct {
	sync.Mutex
	userData, networkData map[string]string
}{userData: map[string]string{}, networkData: map[string]string{}}

func remember(test string, secret map[string][]byte) {
	rendered.Lock()
	defer rendered.Unlock()
	for key, into := range map[string]map[string]string{userDataKey: rendered.userData, networkDataKey: rendered.networkData} {
		if text := string(secret[key]); into[text] == "" && text != "" {
			into[text] = test
		}
	}
}

// TestMain has cloud-init itself judge whatever the tests rendered.
func TestMain(m *testing.M) {
	code := m.Run()
	if err := judge(); err != nil && code == 0 {
		fmt.Fprintf(os.Stderr, "FAIL: %v\n", err)
		code = 1
	}
	os.Exit(code)
}

// errNoCloudInit names what is missing.
var errNoCloudInit = errors.New("these tests need cloud-init, to judge what is rendered: " +
	"apt-get install --no-install-recommends cloud-init (and touch /etc/cloud/cloud-init.disabled, so that it does nothing to this machine)")

func judge() error {
	dir, err := os.MkdirTemp("", "rendered-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	errs := []error{
		judgeEach(rendered.userData, func(n int, text string) error {
			name := filepath.Join(dir, fmt.Sprintf("user-%d.yaml", n))
			return cloudInit(name, text, "schema", "--config-file", name)
		}),
		// Debian's cloud-init has no schema of network data, but it can read it.
		judgeEach(rendered.networkData, func(n int, text string) error {
			name := filepath.Join(dir, fmt.Sprintf("network-%d.yaml", n))
			return cloudInit(name, text, "devel", "net-convert", "--network-data", name, "--kind", "yaml",
				"--output-kind", "netplan", "--distro", "debian", "--directory", name+".out")
		}),
	}
	return errors.Join(errs...)
}

// judgeEach judges two documents at a time.
func judgeEach(documents map[string]string, judge func(n int, text string) error) error {
	var (
		wait sync.WaitGroup
		lock sync.Mutex
		errs []error
		free = make(chan struct{}, 2)
	)
	for n, text := range slices.Sorted(maps.Keys(documents)) {
		free <- struct{}{}
		wait.Go(func() {
			defer func() { <-free }()
			if err := judge(n, text); err != nil {
				lock.Lock()
				errs = append(errs, fmt.Errorf("rendered in %s: %w\n%s", documents[text], err, text))
				lock.Unlock()
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

func cloudInit(name, text string, args ...string) error {
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		return err
	}
	out, err := exec.Command("cloud-init", args...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return errNoCloudInit
	}
	if err != nil {
		return fmt.Errorf("cloud-init %s: %w: %s", args[0], err, out)
	}
	return nil
}

// A judge that lets everything pass is none.
func TestCloudInitRefuses(t *testing.T) {
	for _, text := range []string{
		"#cloud-config\nruncmd: reboot\n", "#cloud-config\nwrite_files: [{content: x}]\n", "#cloud-config\npackages: []\n",
		"#cloud-config\napt: {source: {}}\n", "#cloud-config\na: [\n",
	} {
		name := filepath.Join(t.TempDir(), "user.yaml")
		switch err := cloudInit(name, text, "schema", "--config-file", name); {
		case errors.Is(err, errNoCloudInit):
			t.Fatal(err)
		case err == nil:
			t.Errorf("passes:\n%s", text)
		}
	}
}

// mergeParts merges parts of user data by cloud-init's own code, ours first.
const mergeParts = `
import importlib.util, json, sys
from cloudinit import mergers
mine = mergers.construct(mergers.string_extract_mergers("dict(replace)+list()+str()"))
theirs = mergers.construct(mergers.string_extract_mergers("dict(no_replace,recurse_list)+list(prepend)+str()"))
print(json.dumps([theirs.merge(mine.merge({}, p["ours"]), p["user"]) for p in json.load(sys.stdin)]))
`

// The merge is cloud-init's: what mergeCloudConfig says of itself.
func TestMergeIsCloudInits(t *testing.T) {
	type pair struct {
		Ours map[string]any `json:"ours"`
		User map[string]any `json:"user"`
	}
	var pairs []pair
	var want []map[string]any
	generator := object(false)
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
	out := askCloudInit(t, mergeParts, pairs)
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

// sameKinds says if what both have is a list, a mapping or something else in both.
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

// askCloudInit runs a Python script, for which cloud-init's own modules are there, on a value as JSON, and returns what it says.
func askCloudInit(t *testing.T, script string, about any) []byte {
	t.Helper()
	in, err := json.Marshal(about)
	if err != nil {
		t.Fatal(err)
	}
	python := exec.Command("/usr/bin/python3", "-c", script)
	python.Stdin = bytes.NewReader(in)
	var stderr bytes.Buffer
	python.Stderr = &stderr
	out, err := python.Output()
	if err != nil {
		t.Fatalf("%v: %s\n(%v)", err, stderr.Bytes(), errNoCloudInit)
	}
	return out
}
