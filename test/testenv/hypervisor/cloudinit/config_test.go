package cloudinit_test

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
)

func TestParseWantsCloudConfig(t *testing.T) {
	for _, userData := range []string{"", "#!/bin/sh\ntrue\n", "runcmd: []\n", "# cloud-config\n"} {
		if _, err := cloudinit.Parse([]byte(userData)); !errors.Is(err, cloudinit.ErrNotCloudConfig) {
			t.Errorf("Parse(%q) = %v, want ErrNotCloudConfig", userData, err)
		}
	}
	if _, err := cloudinit.Parse([]byte("#cloud-config\nwrite_files: {\n")); err == nil {
		t.Error("Parse accepted broken YAML")
	}
	c, err := cloudinit.Parse([]byte("#cloud-config\nhostname: batch-1\npackages: [nomad]\n"))
	if err != nil || c.Hostname != "batch-1" {
		t.Errorf("Parse = %+v, %v", c, err)
	}
}

func TestWriteFiles(t *testing.T) {
	zipped := base64.StdEncoding.EncodeToString(gzipped(t, "zipped"))
	cases := []struct {
		name, entry, path, content string
		mode                       fs.FileMode
	}{
		{"plain", `{path: /etc/a, content: "x"}`, "etc/a", "x", 0o644},
		{"no trailing newline is added", `{path: /client-id, content: 6f1c}`, "client-id", "6f1c", 0o644},
		{"octal string", `{path: /a, content: x, permissions: "0600"}`, "a", "x", 0o600},
		{"octal number of YAML 1.1", `{path: /a, content: x, permissions: 0640}`, "a", "x", 0o640},
		{"base64", `{path: /a, content: aGVsbG8=, encoding: b64}`, "a", "hello", 0o644},
		{"wrapped base64", "{path: /a, content: \"aGVs\\nbG8=\", encoding: base64}", "a", "hello", 0o644},
		{"gzip", "{path: /a, content: " + zipped + ", encoding: gz+b64}", "a", "zipped", 0o644},
		{"executable", `{path: /usr/bin/x, content: "#!/bin/sh", permissions: "0755"}`, "usr/bin/x", "#!/bin/sh", 0o755},
		{"never outside", `{path: /../../a, content: x}`, "a", "x", 0o644},
		{"empty", `{path: /a}`, "a", "", 0o644},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if err := parse(t, "write_files: ["+c.entry+"]").WriteFiles(root); err != nil {
				t.Fatal(err)
			}
			path := filepath.Join(root, c.path)
			content, err := os.ReadFile(path)
			if err != nil || string(content) != c.content {
				t.Errorf("content = %q, %v; want %q", content, err, c.content)
			}
			if info, err := os.Stat(path); err != nil || info.Mode().Perm() != c.mode {
				t.Errorf("mode = %v, %v; want %v", info.Mode(), err, c.mode)
			}
		})
	}
}

func TestWriteFilesOrder(t *testing.T) {
	root := t.TempDir()
	config := parse(t, `write_files:
- {path: /a, content: "1"}
- {path: /a, content: "4", append: true, defer: true}
- {path: /a, content: "2", append: true}
- {path: /b, content: old}
- {path: /b, content: new}
- {path: /a, content: "3", append: true}`)
	if err := config.WriteFiles(root); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a": "1234", "b": "new"} {
		if got, err := os.ReadFile(filepath.Join(root, name)); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
}

func TestWriteFilesRefuses(t *testing.T) {
	for _, entry := range []string{`{content: x}`, `{path: /a, content: "%%", encoding: b64}`,
		`{path: /a, content: x, encoding: gz}`, `{path: /a, encoding: rot13}`} {
		if err := parse(t, "write_files: ["+entry+"]").WriteFiles(t.TempDir()); err == nil {
			t.Errorf("WriteFiles accepted %s", entry)
		}
	}
}

func TestService(t *testing.T) {
	both := cloudinit.Service{Started: true, Enabled: true}
	cases := []struct {
		name, config string
		want         cloudinit.Service
	}{
		{"nothing", "runcmd: []", cloudinit.Service{}},
		{"list", "runcmd: [[systemctl, enable, --now, nomad.service]]", both},
		{"options first", "runcmd: [[systemctl, --no-block, enable, --now, nomad]]", both},
		{"shell", "runcmd: ['systemctl daemon-reload && systemctl enable nomad && systemctl start nomad']", both},
		{"nested shell", "runcmd: [[sh, -c, 'systemctl restart \"nomad\"']]", cloudinit.Service{Started: true}},
		{"enabled only", "runcmd: [systemctl enable nomad]", cloudinit.Service{Enabled: true}},
		{"another unit", "runcmd: [systemctl start nomad-exporter docker]", cloudinit.Service{}},
		{"stopped again", "runcmd: [systemctl enable --now nomad, systemctl stop nomad]", cloudinit.Service{Enabled: true}},
		{"a comment", "runcmd: ['# systemctl start nomad']", cloudinit.Service{}},
		{"bootcmd", "bootcmd: [systemctl start nomad]", cloudinit.Service{Started: true}},
		{"a script that runcmd runs",
			"write_files: [{path: /opt/join.sh, content: \"set -e\\nsystemctl enable --now nomad\\n\"}]\nruncmd: [[sh, /opt/join.sh]]",
			both},
		{"a script that nobody runs", "write_files: [{path: /opt/join.sh, content: systemctl start nomad}]",
			cloudinit.Service{}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := parse(t, c.config).Service("nomad"); got != c.want {
				t.Errorf("Service = %+v, want %+v", got, c.want)
			}
		})
	}
}

func TestInsideNeverLeavesRoot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		path := rapid.StringMatching(`[a./]{0,20}`).Draw(t, "path")
		inside, err := filepath.Rel("/guest/root", cloudinit.Inside("/guest/root", path))
		if err != nil || !filepath.IsLocal(inside) {
			t.Fatalf("Inside(%q) leaves the root: %q, %v", path, inside, err)
		}
	})
}

func TestBase64RoundTrip(t *testing.T) {
	root := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		content := rapid.SliceOf(rapid.Byte()).Draw(t, "content")
		c := cloudinit.Config{
			Files: []cloudinit.File{{Path: "/f", Encoding: "b64", Content: base64.StdEncoding.EncodeToString(content)}}}
		if err := c.WriteFiles(root); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(filepath.Join(root, "f")); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("read %q, %v; want %q", got, err, content)
		}
	})
}

func parse(t *testing.T, config string) *cloudinit.Config {
	t.Helper()
	c, err := cloudinit.Parse([]byte(fmt.Sprintf("#cloud-config\n%s\n", config)))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func gzipped(t *testing.T, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write([]byte(s)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
