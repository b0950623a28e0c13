// Package release tests what `make release` makes.
package release

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/CycloneDX/cyclonedx-go"
)

// Whoever builds the same source, wherever it is, gets the same release, byte for byte. Its SBOM names what the binary
// contains, and the licences.
func TestReleaseIsReproducible(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	once, again := released(t, root, "here"), released(t, root, "at/quite/another/place")
	for _, file := range []string{"nomad-harvester", "nomad-harvester.cdx.json", "SHA256SUMS", "NOTICE", "LICENSE"} {
		a, b := contents(t, once, file), contents(t, again, file)
		if len(a) == 0 || !bytes.Equal(a, b) {
			t.Errorf("%s has %d bytes, and %d the second time, and they aren't the same", file, len(a), len(b))
		}
	}
	check := exec.CommandContext(t.Context(), "sha256sum", "--check", "--strict", "SHA256SUMS")
	check.Dir = once
	if out, err := check.CombinedOutput(); err != nil || strings.Count(string(out), ": OK") != 4 {
		t.Errorf("checksums: %v\n%s", err, out)
	}
	checkSBOM(t, contents(t, once, "nomad-harvester.cdx.json"), string(contents(t, once, "NOTICE")))
}

// checkSBOM compares an SBOM with NOTICE, which is made from the source instead of the binary.
func checkSBOM(t *testing.T, text []byte, notice string) {
	t.Helper()
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.Metadata.Timestamp != "2001-09-09T01:46:40Z" || bom.Metadata.Component.Version != "v0.0.0-test" {
		t.Errorf("metadata: %+v", bom.Metadata)
	}
	noticed := strings.Count(strings.Split(notice, "\nOf modules under MPL-2.0")[0], "\n") -
		strings.Count(strings.Split(notice, "Written by:")[0], "\n") - 2
	if len(*bom.Components) != noticed+1 { // and the standard library
		t.Errorf("%d components, and NOTICE has %d modules", len(*bom.Components), noticed)
	}
	for _, c := range *bom.Components {
		if c.Licenses == nil || len(*c.Licenses) != 1 || c.PackageURL == "" || c.Version == "" {
			t.Errorf("%s %s lacks its licence, its version or its URL", c.Name, c.Version)
		}
		if c.Name != "std" && !strings.Contains(notice, "\n"+c.Name+" "+c.Version+": ") {
			t.Errorf("NOTICE lacks %s %s", c.Name, c.Version)
		}
	}
}

// released copies the source to a new place, makes a release there, and says where it is.
func released(t *testing.T, root, place string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), place)
	copySource(t, root, dir)
	run(t, dir, "make", "--no-print-directory", "release", "VERSION=v0.0.0-test")
	return filepath.Join(dir, "dist")
}

// releaseTime is when the commit was made, in seconds.
const releaseTime = 1000000000

// run runs a program in a copy of the source.
func run(t *testing.T, dir, program string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), fmt.Sprintf("SOURCE_DATE_EPOCH=%d", releaseTime), "PWD="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
}

// copySource copies the source to another place.
func copySource(t *testing.T, root, dir string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard")
	list.Dir = root
	files, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for name := range strings.Lines(string(files)) {
		copyFile(t, root, dir, strings.TrimSpace(name))
	}
}

func copyFile(t *testing.T, from, to, name string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(from, name))
	if os.IsNotExist(err) {
		return // deleted, and not yet committed
	}
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(to, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
}

func contents(t *testing.T, dir, file string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, file))
	if err != nil {
		t.Fatal(err)
	}
	return text
}
