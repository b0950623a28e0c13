package machine

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// whatever are documents that users have, good and bad ones.
var whatever = map[string]string{
	"nothing":                    "",
	"a comment":                  "#cloud-config\n# nothing\n",
	"an unknown owner":           "#cloud-config\nwrite_files:\n- {path: /etc/consul.d/consul.hcl, owner: 'consul:consul', content: x}\n",
	"an unknown group":           "#cloud-config\nwrite_files:\n- {path: /etc/x, owner: 'root:nobodyknows', content: x}\n",
	"an owner that is a number":  "#cloud-config\nwrite_files:\n- {path: /etc/x, owner: '1000:1000', content: x}\n",
	"broken base64":              "#cloud-config\nwrite_files:\n- {path: /etc/x, encoding: b64, content: '***'}\n",
	"broken gzip":                "#cloud-config\nwrite_files:\n- {path: /etc/x, encoding: gzip, content: 'not gzip'}\n",
	"an unknown encoding":        "#cloud-config\nwrite_files:\n- {path: /etc/x, encoding: rot13, content: x}\n",
	"permissions that aren't":    "#cloud-config\nwrite_files:\n- {path: /etc/x, permissions: rwx, content: x}\n",
	"a file without a path":      "#cloud-config\nwrite_files:\n- {content: x}\n",
	"a file whose path is null":  "#cloud-config\nwrite_files:\n- {path: , content: x}\n- {path: '', content: x}\n",
	"a deferred file":            "#cloud-config\nwrite_files:\n- {path: /etc/x, owner: 'nomad:nomad', defer: true, content: x}\n",
	"an appended file":           "#cloud-config\nwrite_files:\n- {path: /etc/environment, append: true, content: 'A=b'}\n",
	"a good file":                "#cloud-config\nwrite_files:\n- {path: /etc/nomad.d/50-site.hcl, content: 'log_level = \"debug\"'}\n",
	"a directory in the way":     "#cloud-config\nwrite_files:\n- {path: /etc, content: x}\n",
	"runcmd exits":               "#cloud-config\nruncmd:\n- exit 0\n",
	"runcmd exits badly":         "#cloud-config\nruncmd:\n- exit 3\n",
	"runcmd is strict":           "#cloud-config\nruncmd:\n- set -e\n- 'false'\n",
	"runcmd is very strict":      "#cloud-config\nruncmd:\n- set -eux\n- echo $UNSET\n",
	"runcmd is replaced":         "#cloud-config\nruncmd:\n- exec true\n",
	"runcmd has an open quote":   "#cloud-config\nruncmd:\n- echo 'it\n",
	"runcmd has an open if":      "#cloud-config\nruncmd:\n- if true; then\n",
	"runcmd has an open heredoc": "#cloud-config\nruncmd:\n- \"cat <<EOF\"\n",
	"runcmd closes too much":     "#cloud-config\nruncmd:\n- )\n- fi\n",
	"runcmd fails":               "#cloud-config\nruncmd:\n- [no-such-command]\n",
	"runcmd kills its shell":     "#cloud-config\nruncmd:\n- kill -9 $$\n",
	"runcmd reads":               "#cloud-config\nruncmd:\n- read line\n- cat\n",
	"runcmd changes directory":   "#cloud-config\nruncmd:\n- cd /nowhere\n- umask 777\n- PATH=/nowhere\n",
	"runcmd in several lines":    "#cloud-config\nruncmd:\n- |\n  for i in 1 2; do\n    echo $i\n  done\n",
	"runcmd with a variable":     "#cloud-config\nruncmd:\n- X=a\n- test \"$X\" = a && echo yes\n",
	"runcmd with null":           "#cloud-config\nruncmd:\n- echo a\n-\n",
	"runcmd with nulls alone":    "#cloud-config\nruncmd: [null, null]\n",
	"runcmd of words":            "#cloud-config\nruncmd:\n- [sh, -c, \"echo 'it''s' $HOME\"]\n- [echo, 7, true]\n",
	"runcmd in parts":            "#cloud-config\nruncmd:\n- \"\\\\\"\n",
	"runcmd has the old mark":    "#cloud-config\nruncmd:\n- |\n  a\n  END-OF-THE-POOLS-RUNCMD\n  exit 0\n",
	"a word has the old mark":    "#cloud-config\nruncmd: [[sh, -c, \"a\\nEND-OF-THE-POOLS-RUNCMD\\nb\"]]\n",
	"runcmd runs by the way":     "#cloud-config\nruncmd:\n- sleep 600 &\n",
	"bootcmd exits":              "#cloud-config\nbootcmd:\n- exit 1\n",
	"bootcmd has an open quote":  "#cloud-config\nbootcmd:\n- echo \"it\n",
	"lists are empty":            "#cloud-config\nruncmd: []\nwrite_files: []\nbootcmd: []\n",
	"keys without values":        "#cloud-config\nruncmd:\nwrite_files:\nbootcmd:\npackages:\n",
	"a header in capitals":       "#Cloud-Config\nruncmd: [echo a]\n",
	"a header after blank lines": "\n\n  #cloud-config\nruncmd: [echo a]\n",
	"a header with more":         "#cloud-config  (ours)\nruncmd: [echo a]\n",
	"users":                      "#cloud-config\nusers: [default, {name: ops, sudo: 'ALL=(ALL) NOPASSWD:ALL'}]\nssh_pwauth: false\n",
	"packages":                   "#cloud-config\npackage_update: true\npackages: [docker.io, [jq, '1.6']]\n",
}

// modules does with each document what cloud-init's modules do on the first boot, in a directory instead of on this machine: boot
// commands are made into their script, files are written, and commands are made into theirs and run with systemctl and its like
// replaced by what writes down that they were called.
const modules = `
import json, os, subprocess, sys, tempfile
from unittest import mock
from cloudinit import util, handlers
from cloudinit.config import cc_write_files
import yaml
out = {}
for name, text in json.load(sys.stdin).items():
    root = tempfile.mkdtemp()
    bin = os.path.join(root, "bin")
    os.mkdir(bin)
    for program in ("systemctl", "cloud-init-per", "apt-get"):
        with open(os.path.join(bin, program), "w") as f:
            f.write('#!/bin/sh\necho "' + program + ' $*" >>' + root + '/called\n')
        os.chmod(os.path.join(bin, program), 0o755)
    taken = handlers.type_from_starts_with(text) == "text/cloud-config"
    config = yaml.safe_load(text)
    written = []
    real = util.write_file
    def write(path, content, *args, **kwargs):
        if path in ("/etc",):
            raise IsADirectoryError(path)
        written.append(path)
    failed = ""
    with mock.patch.object(util, "write_file", write), mock.patch.object(util, "chownbyname", lambda path, u, g: __import__("pwd").getpwnam(u) if u and not u.isdigit() and u not in ("root", "-1") else None):
        try:
            cc_write_files.write_files("write_files", [f for f in config.get("write_files") or [] if not f.get("defer")], "root:root")
        except Exception as e:
            failed = type(e).__name__
    called = ""
    env = dict(os.environ, PATH=bin + ":" + os.environ["PATH"], HOME=root)
    for key in ("bootcmd", "runcmd"):
        script = os.path.join(root, key)
        with open(script, "w") as f:
            f.write(util.shellify(config.get(key) or []))
        try:
            subprocess.run(["/bin/sh", script], env=env, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20)
        except subprocess.TimeoutExpired:
            called += "timeout\n"
    try:
        called += open(os.path.join(root, "called")).read()
    except FileNotFoundError:
        pass
    out[name] = {"Taken": taken, "Written": written, "Failed": failed, "Called": called}
json.dump(out, sys.stdout)
`

// Whatever a user's document has, the member gets its identity, its configuration and its Nomad, or is refused by name before there is
// a VM.
func TestNothingOfTheUsersKeepsAMemberFromJoining(t *testing.T) {
	if len(whatever) < 40 {
		t.Fatalf("only %d documents", len(whatever))
	}
	rendered := map[string]string{}
	for name, text := range whatever {
		m := testMember()
		m.Template.CloudInit = v1alpha1.CloudInit{UserData: text}
		out, err := Render(m, testFacts())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rendered[name] = string(out.Secret.Data["userdata"])
	}
	var results map[string]struct {
		Taken          bool
		Written        []string
		Failed, Called string
	}
	if err := json.Unmarshal(askCloudInit(t, modules, rendered), &results); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		r := results[name]
		for _, file := range []string{nomadClientIDFile, nomadConfigFile} {
			if !slices.Contains(r.Written, file) {
				t.Errorf("%s: %s isn't written, only %v (%s)", name, file, r.Written, r.Failed)
			}
		}
		for _, call := range []string{"cloud-init-per instance nomad-client-state", "systemctl enable nomad.service", "systemctl restart nomad.service"} {
			if !strings.Contains(r.Called, call) {
				t.Errorf("%s: no %q, only %q", name, call, r.Called)
			}
		}
		if !r.Taken || strings.Contains(r.Called, "timeout") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// What cloud-init would run nothing for is refused, with its place.
func TestCommandsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"runcmd:\n- 'echo a'\n- echo ready: yes\n": "runcmd[1], line 4: it is a mapping, as YAML takes a colon followed by a space",
		"bootcmd:\n- {a: b}\n":                     "bootcmd[0], line 3: it is a mapping",
		"runcmd:\n- 7\n":                           "runcmd[0], line 3: it is a number",
		"runcmd:\n- true\n":                        "runcmd[0], line 3: it is a number, a date or true or false",
		"runcmd: echo a\n":                         "runcmd is not a list",
		"cloud_final_modules: [runcmd]\n":          "cloud_final_modules can't be chosen",
		"write_files: {path: /x}\n":                "write_files is not a list",
	} {
		m := testMember()
		m.Template.CloudInit = v1alpha1.CloudInit{UserData: "#cloud-config\n" + text}
		if _, err := Render(m, testFacts()); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
