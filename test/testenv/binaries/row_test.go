package binaries

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fakeGo stands in for the go command: it "builds" into the caches that its environment names, and fails for a tool
// whose directory says so.
const fakeGo = `if [ "$1" = env ]; then echo /theirs; echo https://proxy.example.com; exit 0; fi
mkdir -p "$GOCACHE/00" "$GOMODCACHE/example.com/m@v1.0.0"
mkdir -p "$GOMODCACHE/cache/vcs" "$GOMODCACHE/cache/download/example.com"
ls "$GOCACHE" >>"$PWD/found"; touch "$GOCACHE/$(basename "$PWD")"
echo "$GOPROXY" >"$PWD/proxy"
[ -e fails ] && exit 1
printf '#!/bin/sh\n' >"$3" && chmod +x "$3"`

// rowOf is a workshop with plans of tools in side modules, all built by fakeGo.
func rowOf(t *testing.T, cache string, tools ...Tool) (*workshop, []plan) {
	t.Helper()
	shop := &workshop{root: t.TempDir(), cache: cache, progress: &syncBuffer{}}
	plans := make([]plan, len(tools))
	for i, tool := range tools {
		dir := filepath.Join(t.TempDir(), string(tool))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		plans[i] = plan{recipe: recipe{pkg: "./cmd"}, tool: tool, release: "1.0.0", dir: dir,
			path: filepath.Join(cache, "bin", string(tool))}
	}
	return shop, plans
}

func buildAll(t *testing.T, shop *workshop, plans ...plan) {
	t.Helper()
	for _, p := range plans {
		if err := shop.buildOnce(t.Context(), p); err != nil {
			t.Fatal(err)
		}
	}
}

func useFakeGo(t *testing.T) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "go")
	writeProgram(t, program, fakeGo)
	onPath(t, program)
}

// left names what is in the caches of a row.
func left(t *testing.T, cache string) []string {
	t.Helper()
	var found []string
	for _, name := range []string{"compiled", "modules/example.com", "modules/cache/vcs",
		"modules/cache/download/example.com"} {
		if _, err := os.Stat(filepath.Join(cache, name)); err == nil {
			found = append(found, name)
		}
	}
	return found
}

var (
	whole    = []string{"compiled", "modules/example.com", "modules/cache/vcs", "modules/cache/download/example.com"}
	loadOnly = []string{"modules/cache/download/example.com"}
)

func TestBuildsOfARowShareWhatIsRemovedAfterIt(t *testing.T) {
	useFakeGo(t)
	shop, plans := rowOf(t, t.TempDir(), "a", "b")
	buildAll(t, shop, plans...)
	if found, err := os.ReadFile(filepath.Join(plans[1].dir, "found")); err != nil ||
		!slices.Contains(strings.Fields(string(found)), "a") {
		t.Errorf("the second build found %q, %v", found, err)
	}
	if proxy, err := os.ReadFile(filepath.Join(plans[0].dir, "proxy")); err != nil ||
		strings.TrimSpace(string(proxy)) != "file:///theirs/cache/download,https://proxy.example.com" {
		t.Errorf("modules come from %q, %v", proxy, err)
	}
	if got := left(t, shop.cache); !slices.Equal(got, whole) {
		t.Errorf("between the builds there is %v", got)
	}
	if err := shop.leaveRow(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, shop.cache); !slices.Equal(got, loadOnly) {
		t.Errorf("after them there is %v", got)
	}
	if !isExecutable(plans[0].path) || !isExecutable(plans[1].path) {
		t.Error("the programs are gone too")
	}
}

func TestWhoeverIsLastOfARowRemoves(t *testing.T) {
	useFakeGo(t)
	cache := t.TempDir()
	first, plans := rowOf(t, cache, "a")
	buildAll(t, first, plans...)
	second, plans := rowOf(t, cache, "b")
	buildAll(t, second, plans...)
	if err := first.leaveRow(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, cache); !slices.Equal(got, whole) {
		t.Errorf("while another builds there is only %v", got)
	}
	if err := second.leaveRow(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, cache); !slices.Equal(got, loadOnly) {
		t.Errorf("in the end there is %v", got)
	}
}

func TestFailedBuildKeepsWhatIsCompiledForTheNextTry(t *testing.T) {
	useFakeGo(t)
	shop, plans := rowOf(t, t.TempDir(), "a")
	fails := filepath.Join(plans[0].dir, "fails")
	if err := os.WriteFile(fails, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := shop.buildOnce(t.Context(), plans[0]); err == nil {
		t.Fatal("it didn't fail")
	}
	shop.breakOff()
	if got := left(t, shop.cache); !slices.Equal(got, whole) {
		t.Errorf("there is only %v", got)
	}
	if output := shop.progress.(*syncBuffer).String(); !strings.Contains(output, filepath.Join(shop.cache, "compiled")) {
		t.Errorf("it doesn't say where: %q", output)
	}
	if err := os.Remove(fails); err != nil {
		t.Fatal(err)
	}
	buildAll(t, shop, plans...)
	if err := shop.leaveRow(); err != nil {
		t.Fatal(err)
	}
	if got := left(t, shop.cache); !slices.Equal(got, loadOnly) {
		t.Errorf("after a success there is %v", got)
	}
}

// What a crash leaves behind is removed by the next one who asks for a tool, also if nothing is to be built. What a
// build that was broken off has compiled is kept for who tries again, whatever others ask for meanwhile, and not for
// ever.
func TestWhatACrashLeftOverIsRemovedADayLater(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	t.Setenv("NOMAD_HARVESTER_CACHE", cache)
	p, err := (&workshop{root: root, cache: cache}).plan(VirtAPI)
	if err != nil {
		t.Fatal(err)
	}
	writeProgram(t, p.path, "exit 0")
	for _, rest := range [][]string{whole, whole[1:]} { // the second is also what fetching without building leaves
		for _, name := range rest {
			if err := os.MkdirAll(filepath.Join(cache, name), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		before := left(t, cache)
		if _, err := Ensure(t.Context(), nil, VirtAPI); err != nil {
			t.Fatal(err)
		}
		if got := left(t, cache); !slices.Equal(got, before) {
			t.Errorf("of %v there is %v on the same day", before, got)
		}
		for _, dir := range []string{"compiled", "modules"} {
			if err := os.Chtimes(filepath.Join(cache, dir), time.Time{}, time.Now().Add(-keptBroken-time.Minute)); err != nil &&
				!errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
		if _, err := Ensure(t.Context(), nil, VirtAPI); err != nil {
			t.Fatal(err)
		}
		if got := left(t, cache); !slices.Equal(got, loadOnly) {
			t.Errorf("of %v there is %v a day later", rest, got)
		}
	}
}

func TestProxies(t *testing.T) {
	for _, tt := range []struct{ first, others, want string }{
		{"/home/a b/download", "https://x,direct", "file:///home/a%20b/download,https://x,direct"},
		{"/download", "off", "file:///download,off"},
		{"/download", "", "file:///download,direct"},
		{"/a,b", "https://x", "https://x"},
	} {
		if got := proxies(tt.first, tt.others); got != tt.want {
			t.Errorf("proxies(%q, %q) is %q, not %q", tt.first, tt.others, got, tt.want)
		}
	}
}
