package cloudinit

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

func TestSignedBy(t *testing.T) {
	tests := map[string]string{
		"deb https://a.example/x $RELEASE main": "deb [signed-by=/k.asc] https://a.example/x $RELEASE main",
		"deb [arch=amd64] https://a.example ./": "deb [arch=amd64 signed-by=/k.asc] https://a.example ./",
		"deb [ a=b c=d ] http://a.example s":    "deb [a=b c=d signed-by=/k.asc] http://a.example s",
	}
	for source, want := range tests {
		if got := signedBy(source, "/k.asc"); got != want {
			t.Errorf("%s: %s, want %s", source, got, want)
		}
	}
}

// Without a key and a version there is nothing to say about them.
func TestPlainAptInstallation(t *testing.T) {
	in := aptInstallation(v1alpha1.AptInstall{Source: "deb https://a.example ./"})
	want := map[string]any{
		"apt": map[string]any{
			"sources": map[string]any{
				"nomad-harvester.list": map[string]any{"source": "deb https://a.example ./", "append": false},
			},
		},
		"package_update": true,
		"packages":       []any{"nomad"},
	}
	if diff := cmp.Diff(want, in.config); diff != "" || len(in.files) != 1 ||
		!cmp.Equal(in.commands, []any{[]any{"/usr/local/sbin/install-nomad-package"}}) {
		t.Errorf("(-want +got):\n%s%v %v", diff, in.files, in.commands)
	}
}

// guest is a directory in the place of a guest's /usr/local.
type guest struct{ dir, script string }

// newGuest has the script that fetches something with the given checksum.
func newGuest(t *testing.T, url, checksum string) guest {
	t.Helper()
	cloudinittest.Need(t)
	g := guest{dir: t.TempDir()}
	in := downloadInstallation(v1alpha1.DownloadInstall{URL: url, SHA256: checksum})
	for _, f := range in.files {
		if pathOf(yamlNode(f)) == nomadInstallFile {
			g.script = filepath.Join(g.dir, "install-nomad")
			text := strings.ReplaceAll(f.(map[string]any)["content"].(string), "/usr/local/", g.dir+"/")
			if err := os.WriteFile(g.script, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	return g
}

func (g guest) install() (string, error) {
	out, err := exec.Command("/usr/bin/python3", g.script).CombinedOutput()
	return string(out), err
}

// program is what is installed.
func (g guest) program() string {
	b, _ := os.ReadFile(filepath.Join(g.dir, "bin", "nomad"))
	return string(b)
}

func checksum(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// archive is a release of Nomad.
func archive(t *testing.T, program string) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range map[string]string{"LICENSE.txt": "no", "nomad": program} {
		f, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// fileServer serves one file, and counts.
func fileServer(t *testing.T, content []byte) (url string, asked *int) {
	t.Helper()
	asked = new(int)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		*asked++
		_, _ = w.Write(content)
	}))
	t.Cleanup(s.Close)
	return s.URL + "/nomad?x=%20&y=1", asked
}

func TestInstallScript(t *testing.T) {
	const program = "#!/bin/sh\necho Nomad\n"
	for name, content := range map[string][]byte{"program": []byte(program), "archive": archive(t, program)} {
		t.Run(name, func(t *testing.T) {
			url, asked := fileServer(t, content)
			g := newGuest(t, url, strings.ToUpper(checksum(content)))
			for range 2 { // as after a reboot
				if out, err := g.install(); err != nil {
					t.Fatalf("%v: %s", err, out)
				}
			}
			if *asked != 1 {
				t.Errorf("fetched %d times", *asked)
			}
			if out, err := exec.Command(filepath.Join(g.dir, "bin", "nomad")).Output(); err != nil || string(out) != "Nomad\n" {
				t.Errorf("it says %q, %v", out, err)
			}
			left, _ := filepath.Glob(filepath.Join(g.dir, "bin", "*"))
			hidden, _ := filepath.Glob(filepath.Join(g.dir, "bin", ".*"))
			if left = append(left, hidden...); len(left) != 1 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

// An image with another Nomad at the same place gets the one that was asked for.
func TestInstallScriptReplacesWhatTheImageHas(t *testing.T) {
	content := []byte("new")
	url, _ := fileServer(t, content)
	g := newGuest(t, url, checksum(content))
	if err := os.MkdirAll(filepath.Join(g.dir, "bin"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(g.dir, "bin", "nomad"), []byte("old"), 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := g.install(); err != nil || g.program() != "new" {
		t.Errorf("%q, %v: %s", g.program(), err, out)
	}
}

// What isn't what was asked for is never put in place.
func TestInstallScriptRefuses(t *testing.T) {
	url, _ := fileServer(t, []byte("something else"))
	g := newGuest(t, url, checksum([]byte("Nomad")))
	out, err := g.install()
	if err == nil || g.program() != "" {
		t.Errorf("installed %q", g.program())
	}
	if want := "the SHA-256 checksum of " + url + " is " + checksum([]byte("something else")) + ", not " + checksum([]byte(
		"Nomad")); !strings.Contains(
		out, want) {
		t.Errorf("it says %q", out)
	}

	noNomad := archive(t, "x")
	noNomad = bytes.ReplaceAll(noNomad, []byte("nomad"), []byte("other"))
	url, _ = fileServer(t, noNomad)
	if g = newGuest(t, url, checksum(noNomad)); g.program() != "" {
		t.Error("there already")
	}
	if out, err := g.install(); err == nil || !strings.Contains(out, "nomad") || g.program() != "" {
		t.Errorf("%v: %s", err, out)
	}
}

// systemd starts the agent only after what is before it has succeeded, and tries again.
func TestUnitInstallsFirst(t *testing.T) {
	before, start := strings.Index(nomadUnit, "\nExecStartPre="+nomadInstallFile+"\n"), strings.Index(nomadUnit,
		"\nExecStart=/usr/local/bin/nomad agent -config "+nomadConfigDir+"\n")
	if before < 0 || start < before {
		t.Errorf("unit:\n%s", nomadUnit)
	}
	for _, line := range []string{"Restart=on-failure", "StartLimitIntervalSec=0", "KillMode=process",
		"WantedBy=multi-user.target"} {
		if !strings.Contains(nomadUnit, "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
}

// aptGuest is a directory in the place of a guest's /, with an apt-get that fails as long as the user's part of it
// says so.
type aptGuest struct{ dir, script string }

func newAptGuest(t *testing.T, a v1alpha1.AptInstall, aptGet string) aptGuest {
	t.Helper()
	g := aptGuest{dir: t.TempDir()}
	for name, text := range map[string]string{
		"etc/apt/sources.list.d/x": "", "etc/os-release": "VERSION_CODENAME=trixie\n",
		"bin/apt-get": "#!/bin/sh\necho \"$*\" >>" + g.dir + "/called\n" + strings.ReplaceAll(aptGet, "DIR", g.dir) + "\n",
		"bin/sleep":   "#!/bin/sh\necho \"sleep $*\" >>" + g.dir + "/called\n",
	} {
		at := filepath.Join(g.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(at), 0o755), os.WriteFile(at, []byte(text), 0o755)); err != nil {
			t.Fatal(err)
		}
	}
	for _, f := range aptInstallation(a).files {
		if pathOf(yamlNode(f)) == nomadPackageFile {
			g.script = strings.ReplaceAll(f.(map[string]any)["content"].(string), "/etc/", g.dir+"/etc/")
		}
	}
	return g
}

// install runs the script, and returns what it called and the list of the source.
func (g aptGuest) install() (called []string, list string, err error) {
	command := exec.Command("sh", "-c", g.script)
	command.Env = []string{"PATH=" + g.dir + "/bin:/usr/bin:/bin"}
	err = command.Run()
	text, _ := os.ReadFile(filepath.Join(g.dir, "called"))
	source, _ := os.ReadFile(filepath.Join(g.dir, "etc/apt/sources.list.d", aptSourceName))
	return strings.Split(strings.TrimSpace(string(text)), "\n"), string(source), err
}

func TestInstallPackageScript(t *testing.T) {
	const (
		source  = "deb [trusted=yes arch=amd64] https://a.example/it's $RELEASE main"
		install = "install --assume-yes --quiet -o DPkg::Lock::Timeout=600 -o Dpkg::Options::=--force-confold nomad=1.11.*"
	)
	tests := map[string]struct {
		aptGet, list, wantList string
		// calls are how many of apt-get's there are, of which the last is the one that installed.
		calls int
		last  string
	}{
		"cloud-init has installed it": {list: "deb x\n", wantList: "deb x\n", calls: 1, last: install},
		"no source was set up": {
			aptGet:   "case $1 in update) touch DIR/updated;; *) test -e DIR/updated;; esac",
			wantList: "deb [trusted=yes arch=amd64] https://a.example/it's trixie main\n",
			calls:    3, last: install,
		},
		"cloud-init couldn't tell the release": {
			list:     "deb https://a.example/it's UNAVAILABLE main\n",
			wantList: "deb [trusted=yes arch=amd64] https://a.example/it's trixie main\n",
			calls:    1,
			last:     install,
		},
		"the lock is held": {
			aptGet: "test $(wc -l <DIR/called) -gt 7", list: "deb x\n", wantList: "deb x\n", calls: 7, last: install,
		},
		"another list is wrong": {
			aptGet: "case $* in *sourceparts=-*) ;; *) exit 100;; esac", list: "deb x\n", wantList: "deb x\n", calls: 5,
			last: strings.Replace(install, "nomad=",
				"-o Dir::Etc::sourcelist=LIST -o Dir::Etc::sourceparts=- -o APT::Get::List-Cleanup=0 nomad=", 1),
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			g := newAptGuest(t, v1alpha1.AptInstall{Source: source, Version: "1.11.*"}, tt.aptGet)
			list := filepath.Join(g.dir, "etc/apt/sources.list.d", aptSourceName)
			if tt.list != "" {
				if err := os.WriteFile(list, []byte(tt.list), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			called, source, err := g.install()
			called = slices.DeleteFunc(called, func(c string) bool { return strings.HasPrefix(c, "sleep ") })
			if err != nil || source != tt.wantList || len(called) != tt.calls ||
				called[len(called)-1] != strings.ReplaceAll(tt.last, "LIST", list) {
				t.Errorf("%v: list %q, called %q", err, source, called)
			}
		})
	}
}

// It gives up, so that the user's commands are run, and the member can be looked at.
func TestInstallPackageScriptEnds(t *testing.T) {
	g := newAptGuest(t, v1alpha1.AptInstall{Source: "deb https://a.example ./"}, "exit 100")
	if called, _, err := g.install(); err == nil || len(called) > 25 {
		t.Errorf("%v, called %q", err, called)
	}
}
