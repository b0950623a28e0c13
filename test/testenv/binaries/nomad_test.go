package binaries

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// checkout is a workshop over a module whose stand-in has the given source, and no Nomad from outside.
func checkout(t *testing.T, standIn string) *workshop {
	t.Helper()
	files := map[string]string{"go.mod": "module x\n\ngo 1.26\n", "go.sum": ""}
	if standIn != "" {
		files["test/standin/nomad/main.go"] = standIn
		files["test/standin/nomad/told/told.go"] = "package told\n\nconst Version = \"Nomad v1.11.3-standin\"\n"
	}
	t.Setenv("NOMAD", "")
	t.Setenv("NOMAD_BIN", "")
	withoutNomad(t)
	return &workshop{root: sideModule(t, files), cache: t.TempDir(), progress: &syncBuffer{}}
}

const fakeStandIn = `package main

import (
	"fmt"

	"x/test/standin/nomad/told"
)

func main() { fmt.Println(told.Version) }
`

// withoutNomad leaves out of PATH what holds a nomad.
func withoutNomad(t *testing.T) {
	t.Helper()
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !isExecutable(filepath.Join(dir, "nomad")) {
			kept = append(kept, dir)
		}
	}
	t.Setenv("PATH", strings.Join(kept, string(os.PathListSeparator)))
}

// nomadPrinting is a program in a directory of its own.
func nomadPrinting(t *testing.T, prints string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nomad")
	writeProgram(t, path, "echo '"+prints+"'; echo 'BuildDate 2026-01-01T00:00:00Z'")
	return path
}

func onPath(t *testing.T, programs ...string) {
	t.Helper()
	for i := len(programs) - 1; i >= 0; i-- {
		t.Setenv("PATH", filepath.Dir(programs[i])+string(os.PathListSeparator)+os.Getenv("PATH"))
	}
}

func TestNomadOfTheUsersIsTakenIfItIsNewEnough(t *testing.T) {
	for prints, version := range map[string]string{
		"Nomad v1.8.0":            "1.8.0",
		"Nomad v1.8.0-beta.1":     "1.8.0-beta.1",
		"Nomad v1.11.3":           "1.11.3",
		"Nomad v1.10.5+ent":       "1.10.5+ent",
		"Nomad v2.0.6-dev":        "2.0.6-dev",
		"Nomad v2.0.0-rc.1+ent.x": "2.0.0-rc.1+ent.x",
	} {
		for _, how := range []string{"$NOMAD_BIN", "on PATH"} {
			t.Run(prints+" "+how, func(t *testing.T) {
				shop, program := checkout(t, ""), nomadPrinting(t, prints)
				if how == "on PATH" {
					onPath(t, program)
				} else {
					t.Setenv("NOMAD_BIN", program)
				}
				n, err := shop.nomad(t.Context())
				if want := (NomadInUse{Path: program, Version: version, Why: how}); err != nil || n != want {
					t.Errorf("got %+v, %v; want %+v", n, err, want)
				}
				if line := n.String(); !strings.Contains(line, version) || !strings.Contains(line, program) ||
					strings.Contains(line, "stand-in") {
					t.Errorf("told as %q", line)
				}
			})
		}
	}
}

func TestChosenNomadHasToDo(t *testing.T) {
	dir := t.TempDir()
	plain := filepath.Join(dir, "nomad")
	if err := os.WriteFile(plain, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	failing := filepath.Join(t.TempDir(), "nomad")
	writeProgram(t, failing, "exit 3")
	for name, c := range map[string]struct{ path, reports string }{
		"missing":        {filepath.Join(dir, "none"), "no such file"},
		"not executable": {plain, "permission denied"},
		"fails":          {failing, "exit status 3"},
		"old":            {nomadPrinting(t, "Nomad v1.7.7"), "it is version 1.7.7, and 1.8 or newer is needed"},
		"something else": {nomadPrinting(t, "Terraform v1.9.0"), "prints no version"},
		"no version":     {nomadPrinting(t, "Nomad vNext"), "prints no version"},
	} {
		t.Run(name, func(t *testing.T) {
			shop := checkout(t, fakeStandIn)
			t.Setenv("NOMAD_BIN", c.path)
			_, err := shop.nomad(t.Context())
			if err == nil {
				t.Fatal("it was taken")
			}
			for _, want := range []string{"NOMAD_BIN=" + c.path, c.reports,
				"set NOMAD_BIN to a Nomad of version 1.8 or newer, or unset it"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
}

func TestStandInServesWhereThereIsNoNomad(t *testing.T) {
	old, standIn, good := "Nomad v1.7.7", "Nomad v1.10.0-standin", "Nomad v1.9.1"
	for name, c := range map[string]struct {
		force  string
		onPath []string
		want   string // the version that is taken
		why    string
	}{
		"nothing on PATH":            {"", nil, "1.11.3-standin", "no nomad on PATH"},
		"an old one on PATH":         {"", []string{old}, "1.11.3-standin", "it is version 1.7.7"},
		"a stand-in on PATH":         {"", []string{standIn}, "1.11.3-standin", "no nomad on PATH"},
		"one behind those":           {"", []string{standIn, old, good}, "1.9.1", "on PATH"},
		"forced beside one that fit": {"standin", []string{good}, "1.11.3-standin", "NOMAD=standin"},
	} {
		t.Run(name, func(t *testing.T) {
			shop := checkout(t, fakeStandIn)
			for i := len(c.onPath) - 1; i >= 0; i-- {
				onPath(t, nomadPrinting(t, c.onPath[i]))
			}
			t.Setenv("NOMAD", c.force)
			n, err := shop.nomad(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if n.Version != c.want || n.StandIn != strings.Contains(c.want, "standin") || !strings.Contains(n.Why, c.why) ||
				filepath.Base(n.Path) != "nomad" {
				t.Errorf("got %+v", n)
			}
		})
	}
}

func TestNomadOfTheUsersWinsOverNothingElseThanAWord(t *testing.T) {
	shop := checkout(t, fakeStandIn)
	t.Setenv("NOMAD_BIN", nomadPrinting(t, "Nomad v1.9.1"))
	t.Setenv("NOMAD", "standin")
	if n, err := shop.nomad(t.Context()); err != nil || !n.StandIn {
		t.Errorf("NOMAD=standin doesn't force it: %+v, %v", n, err)
	}
	t.Setenv("NOMAD", "stand-in")
	if _, err := shop.nomad(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "NOMAD=stand-in means nothing; NOMAD=standin") {
		t.Errorf("a word that means nothing: %v", err)
	}
}

func TestStandInIsBuiltWhenItsSourcesChange(t *testing.T) {
	shop := checkout(t, fakeStandIn)
	use := func() NomadInUse {
		t.Helper()
		n, err := shop.standIn(t.Context(), "why")
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := use()
	built := len(shop.progress.(*syncBuffer).String())
	if again := use(); again != first || len(shop.progress.(*syncBuffer).String()) != built {
		t.Errorf("built again: %+v", again)
	}
	yesterday := time.Now().Add(-2 * standInKept)
	if err := os.Chtimes(filepath.Dir(first.Path), yesterday, yesterday); err != nil {
		t.Fatal(err)
	}
	// A package that it imports.
	reported := filepath.Join(shop.root, "test/standin/nomad/told/told.go")
	if err := os.WriteFile(reported, []byte("package told\n\nconst Version = \"Nomad v1.11.4-standin\"\n"),
		0o644); err != nil {
		t.Fatal(err)
	}
	if second := use(); second.Path == first.Path || second.Version != "1.11.4-standin" {
		t.Errorf("got %+v after a change", second)
	}
	if isExecutable(first.Path) {
		t.Error("what nobody uses any more is kept")
	}
}

func TestStandInThatCannotBeBuiltSaysWhy(t *testing.T) {
	for name, c := range map[string]struct{ source, reports string }{
		"no source":      {"", "this checkout lacks its source"},
		"a wrong source": {"package main\n\nfunc main() { undefinedThing() }\n", "undefinedThing"},
		"a wrong import": {"package main\n\nimport _ \"x/none\"\n\nfunc main() {}\n", "x/none"},
		"without a mark": {"package main\n\nfunc main() { println(1) }\n", "prints no version"},
		"like a released": {strings.Replace(fakeStandIn, "(told.Version)", "(told.Version[:13])", 1),
			"lacks the mark -standin"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := checkout(t, c.source).nomad(t.Context()); err == nil || !strings.Contains(err.Error(), c.reports) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestGuestImageIsOfOneNomad(t *testing.T) {
	root, err := repositoryRoot()
	if err != nil {
		t.Fatal(err)
	}
	shop, program := &workshop{root: root, cache: t.TempDir()}, nomadPrinting(t, "Nomad v1.9.1")
	dir := func() string {
		t.Helper()
		dir, err := shop.guestImageDir(program)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	before := dir()
	writeProgram(t, program, "echo Nomad v2.0.0")
	if dir() == before {
		t.Error("another Nomad at the same path has the image of the one before")
	}
}
