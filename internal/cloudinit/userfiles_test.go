package cloudinit

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
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
	"a file of paths alone":      "#cloud-config\nwrite_files:\n- {path: /etc/x}\n- {path: /etc/y, defer: [a], owner: , content: }\n",
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
	"the header of e-mails":      "#cloud-config\nruncmd:\n- \"printf 'MIME-Version: 1.0\\n'\"\n",
	"a header of e-mails, later": "#cloud-config\nx: '" + strings.Repeat("x", 5000) + "'\nz: 'Mime-Version: 1.0'\n",
	"reporting":                  "#cloud-config\nreporting: {logging: , a: {type: log, level: 7}, b: {type: print}, c: {type: webhook, endpoint: 'http://127.0.0.1:1/'}}\n",
	"another default user":       "#cloud-config\nsystem_info: {default_user: {name: ops}}\n",
	"a domain":                   "#cloud-config\nfqdn: worker.lab.example\nprefer_fqdn_over_hostname: false\n",
	"lists of cloud-init's own":  "#cloud-config\nlog_cfgs: [[a, b], 7]\nunverified_modules: [7]\n",
	"nothing of cloud-init's":    "#cloud-config\nlog_cfgs:\nunverified_modules:\nsystem_info:\nreporting:\nfqdn:\n",
	"output to nowhere":          "#cloud-config\noutput: 7\n",
	"a key that is quoted":       "#cloud-config\nsnap: {commands: {'00': 7}}\n",
	"users":                      "#cloud-config\nusers: [default, {name: ops, sudo: 'ALL=(ALL) NOPASSWD:ALL'}]\nssh_pwauth: false\n",
	"packages":                   "#cloud-config\npackage_update: true\npackages: [docker.io, [jq, '1.6']]\n",
}

// modules does with each document what cloud-init does on the first boot, in a directory instead of on this machine:
// its kind of user data is determined, it is read and applied to cloud-init itself; modules are chosen, files are
// written by the module that does it, boot commands are made into their script and commands into theirs, and both are
// run with systemctl and its like replaced by what writes down that they were called.
const modules = `
import copy, json, logging, os, pwd, select, subprocess, sys, tempfile
from unittest import mock
from cloudinit import handlers, helpers, stages, user_data, util
from cloudinit.cmd.main import apply_reporting_cfg
from cloudinit.config import cc_write_files, modules
from cloudinit.config.schema import validate_cloudconfig_schema
from cloudinit.log import setupLogging
log = logging.getLogger("boot")
logging.disable(logging.CRITICAL)
os.chdir("/")

# The image's own configuration is read anew for each document, but from memory.
read_conf, image = util.read_conf, {}
def read_image(name, *args, **kwargs):
    if name not in image:
        image[name] = read_conf(name, *args, **kwargs)
    return copy.deepcopy(image[name])
util.read_conf = read_image

def begin(text, config):
    """What is done before any module runs. Nobody catches what goes wrong here."""
    if user_data.convert_string(text).get_content_type() != "text/x-not-multipart":
        raise ValueError("taken for an e-mail")
    if handlers.type_from_starts_with(text) != "text/cloud-config":
        raise ValueError("taken for another kind")
    if config is None:
        raise ValueError("can't be read")
    validate_cloudconfig_schema(config=config, strict=False, log_details=False, log_deprecations=True)
    init = stages.Init(ds_deps=[])
    init.read_cfg()
    paths = init.paths.cloud_dir
    with mock.patch.object(helpers.ConfigMerger, "_get_instance_configs", lambda self: [config]):
        init._cfg = None
        init.read_cfg()
        if stages.Init(ds_deps=[]).paths.cloud_dir != paths:
            raise ValueError("other paths")
        setupLogging(init.cfg)
        apply_reporting_cfg(init.cfg)
        util.get_hostname_fqdn(init.cfg, mock.Mock(), metadata_only=True)
        chosen = modules.Modules(init)
        for section in ("cloud_init_modules", "cloud_config_modules", "cloud_final_modules"):
            with mock.patch.object(chosen, "_run_modules", lambda active: (init.distro, active)):
                active = [name for _, name, _, _ in chosen.run_section(section)[1]]
            for name in {"cloud_init_modules": ["bootcmd", "write-files"], "cloud_config_modules": ["runcmd"], "cloud_final_modules": ["scripts-user"]}[section]:
                if name not in active:
                    raise ValueError(name + " isn't run")

def owner(path, user, group):
    if user and not user.isdigit() and user not in ("root", "-1"):
        pwd.getpwnam(user)

def write(path, content, *args, **kwargs):
    if path == "/etc":
        raise IsADirectoryError(path)
    written.append(path)

out = {}
for name, (text, seconds) in json.load(sys.stdin).items():
    root = tempfile.mkdtemp()
    bin = os.path.join(root, "bin")
    os.mkdir(bin)
    for program in ("systemctl", "cloud-init-per", "apt-get"):
        with open(os.path.join(bin, program), "w") as f:
            f.write('#!/bin/sh\necho "' + program + ' $*" >>' + root + '/called\n')
        os.chmod(os.path.join(bin, program), 0o755)
    written, failed, called = [], "", ""
    out[name] = result = {"Written": written, "Begun": "", "Failed": "", "Called": ""}
    config = util.load_yaml(text)
    try:
        begin(text, config)
    except Exception as e:
        result["Begun"] = repr(e)
        continue
    cloud = mock.Mock()
    cloud.distro.default_owner = "root:root"
    with mock.patch.object(util, "write_file", write), mock.patch.object(util, "chownbyname", owner):
        try:
            cc_write_files.handle("write_files", config, cloud, log, [])
        except Exception as e:
            result["Failed"] = repr(e)
    env = dict(os.environ, PATH=bin + ":" + os.environ["PATH"], HOME=root)
    for key in ("bootcmd", "runcmd"):
        script = os.path.join(root, key)
        with open(script, "w") as f:
            f.write(util.shellify(config.get(key) or []))
        p = subprocess.Popen(["/bin/sh", script], env=env, cwd=root, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        ended = os.pidfd_open(p.pid)
        if not select.select([ended], [], [], seconds)[0]:
            os.killpg(p.pid, 9)
            called += "timeout\n"
        os.close(ended)
        p.wait()
    try:
        called += open(os.path.join(root, "called")).read()
    except FileNotFoundError:
        pass
    result["Called"] = called
json.dump(out, sys.stdout)
`

// firstBoot is what came of user data on a first boot.
type firstBoot struct {
	Written []string
	// Begun is what kept cloud-init from running any module, and Failed what kept it from writing all files.
	Begun, Failed string
	Called        string
}

// firstBoots is what becomes of user data. None of its commands is waited for longer than seconds.
func firstBoots(t *testing.T, userData map[string]string, seconds int) map[string]firstBoot {
	t.Helper()
	about := map[string]any{}
	for name, text := range userData {
		about[name] = []any{text, seconds}
	}
	var results map[string]firstBoot
	if err := json.Unmarshal(cloudinittest.Ask(t, modules, about), &results); err != nil {
		t.Fatal(err)
	}
	return results
}

// wrong is what keeps a guest from joining.
func (b firstBoot) wrong() []string {
	var wrong []string
	if b.Begun != "" {
		wrong = append(wrong, "cloud-init does nothing: "+b.Begun)
	}
	for _, file := range []string{nomadClientIDFile, nomadConfigFile} {
		if n := len(slices.DeleteFunc(slices.Clone(b.Written), func(path string) bool { return path != file })); n != 1 {
			wrong = append(wrong, fmt.Sprintf("%s is written %d times (%s)", file, n, b.Failed))
		}
	}
	for _, call := range []string{"cloud-init-per instance nomad-client-state", "systemctl enable nomad.service",
		"systemctl restart nomad.service"} {
		if !strings.Contains(b.Called, call) {
			wrong = append(wrong, fmt.Sprintf("no %q, only %q", call, b.Called))
		}
	}
	return wrong
}

// Whatever a user's document has, the member gets its identity, its configuration and its Nomad, or is refused by
// name before there is a VM.
func TestNothingOfTheUsersKeepsAMemberFromJoining(t *testing.T) {
	t.Parallel()
	if len(whatever) < 40 {
		t.Fatalf("only %d documents", len(whatever))
	}
	rendered := map[string]string{}
	for name, text := range whatever {
		m := blueprinttest.Member()
		m.Template.CloudInit = v1alpha1.CloudInit{UserData: text}
		out, err := renderSecret(m, blueprinttest.Facts())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rendered[name] = string(out.Data[UserDataKey])
	}
	results := firstBoots(t, rendered, 20)
	for _, name := range slices.Sorted(maps.Keys(rendered)) {
		r := results[name]
		for _, wrong := range r.wrong() {
			t.Errorf("%s: %s", name, wrong)
		}
		if strings.Contains(r.Called, "timeout") {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// Commands that don't return, or reboot, leave a guest whose Nomad is enabled, and so starts after a reboot; but it
// isn't started before they are done, for they may prepare what it finds when it starts.
func TestNomadIsEnabledWhateverTheCommandsDo(t *testing.T) {
	t.Parallel()
	rendered := map[string]string{}
	for name, command := range map[string]string{
		"they sleep":      "sleep 3600",
		"they are served": "while true; do sleep 1; done",
		"they reboot":     "'kill -9 $PPID; sleep 3600'",
	} {
		m := blueprinttest.Member()
		m.Template.CloudInit.UserData = "#cloud-config\nruncmd:\n- systemctl start mine\n- " + command + "\n"
		rendered[name] = string(mustRenderSecret(t, m, blueprinttest.Facts()).Data[UserDataKey])
	}
	for name, b := range firstBoots(t, rendered, 2) {
		enabled, mine := strings.Index(b.Called, "systemctl enable nomad.service"), strings.Index(b.Called,
			"systemctl start mine")
		if enabled < 0 || mine < enabled || strings.Contains(b.Called, "restart nomad.service") {
			t.Errorf("%s: %q", name, b.Called)
		}
	}
}

// What cloud-init would run nothing for is refused, with its place.
func TestCommandsThatAreNone(t *testing.T) {
	for text, want := range map[string]string{
		"runcmd:\n- 'echo a'\n- echo ready: yes\n":        "runcmd[1], line 4: it is a mapping, as YAML takes a colon followed by a space",
		"bootcmd:\n- {a: b}\n":                            "bootcmd[0], line 3: it is a mapping",
		"runcmd:\n- 7\n":                                  "runcmd[0], line 3: it is a number",
		"runcmd:\n- true\n":                               "runcmd[0], line 3: it is a number, a date or true or false",
		"runcmd: echo a\n":                                "runcmd, line 2: it is not a list",
		"unverified_modules: 7\n":                         "unverified_modules, line 2: it is not a list, and cloud-init would run none of its modules",
		"log_cfgs: 5\n":                                   "log_cfgs, line 2: it is not a list",
		"fqdn: 12\n":                                      "fqdn, line 2: it is not text",
		"fqdn: worker.lab.example\n":                      "fqdn, line 2: each member's hostname is its own name, and all guests that prefer fqdn, as those of Red Hat's kin do, would have this one; leave it out, or set prefer_fqdn_over_hostname: false",
		"prefer_fqdn_over_hostname: true\nfqdn: a.b\n":    "fqdn, line 3: each member's hostname",
		"prefer_fqdn_over_hostname: 7\nfqdn: a.b\n":       "fqdn, line 3: each member's hostname",
		"prefer_fqdn_over_hostname: [false]\nfqdn: a.b\n": "fqdn, line 3: each member's hostname",
		"system_info: [a]\n":                              "system_info, line 2: it is not a mapping",
		"system_info:\n  distro: opensuse-leap\n":         "system_info.distro, line 3: it can't be chosen",
		"system_info: {paths: {cloud_dir: /tmp}}\n":       "system_info.paths, line 2: it can't be chosen",
		"system_info: {network: {renderers: [x]}}\n":      "system_info.network, line 2: it can't be chosen",
		"reporting: [log]\n":                              "reporting, line 2: it is not a mapping",
		"reporting: {a: 7}\n":                             "reporting, line 2: it is no handler of the type log, print or webhook, and cloud-init would run none of its modules",
		"reporting:\n  a: {type: log}\n  b: {type: x}\n":  "reporting, line 4: it is no handler of the type log, print or webhook",
		"reporting: {a: {type: log, endpoint: x}}\n":      "reporting, line 2: it has an option that its type doesn't have",
		"reporting: {a: {type: webhook}}\n":               "reporting, line 2: it has no endpoint",
		"reporting: {a: {type: webhook, endpoint: 'http://x', token_key: y}}\n": "reporting, line 2: it has some of consumer_key",
		"apt: {sources: {1: {source: x}}}\n":                                    "line 2: a key that is a number, a date, true, false or nothing, over which cloud-init may fail; put it into quotes",
		"x:\n- a:\n    yes: b\n":                                                "line 4: a key that is a number",
		"cloud_final_modules: [runcmd]\n":                                       "cloud_final_modules can't be chosen",
		"write_files: {path: /x}\n":                                             "write_files, line 2: it is not a list",
		"write_files:\n-\n- {path: /x}\n":                                       "write_files[0], line 3: it is not a mapping, and cloud-init would write none of the files; write it as one with path and content",
		"write_files: [{path: /x}, 7]\n":                                        "write_files[1], line 2: it is not a mapping",
		"write_files: [true]\n":                                                 "write_files[0], line 2: it is not a mapping",
		"write_files:\n- defer\n":                                               "write_files[0], line 3: it is not a mapping",
		"write_files: [[defer]]\n":                                              "write_files[0], line 2: it is not a mapping",
		"write_files: [{path: etc/motd}]\n":                                     "write_files[0].path, line 2: it does not begin with /; write all of it",
		"write_files: [{path: etc/nomad.d/nomad.hcl}]\n":                        "write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller; put additions",
		"write_files: [{path: opt/nomad/data/client/client-id}]\n":              "write_files[0].path: /opt/nomad/data/client/client-id belongs to the controller",
		"write_files: [{path: ../../etc//x/../nomad.d/nomad.hcl}]\n":            "write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller",
		"write_files: [{path: //opt/nomad/./data/client/client-id}]\n":          "write_files[0].path: /opt/nomad/data/client/client-id belongs to the controller",
	} {
		m := blueprinttest.Member()
		m.Template.CloudInit = v1alpha1.CloudInit{UserData: "#cloud-config\n" + text}
		if _, err := renderSecret(m, blueprinttest.Facts()); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}

// keysOfModules are keys that cloud-init's modules read, and those with which it configures itself.
var keysOfModules = []string{
	"apt", "bootcmd", "disk_setup", "fqdn", "groups", "hostname", "locale", "log_cfgs", "mounts", "ntp", "output",
	"package_update", "packages", "power_state",
	"prefer_fqdn_over_hostname", "preserve_hostname", "reporting", "runcmd", "snap", "ssh_authorized_keys", "swap",
	"system_info", "unverified_modules", "users",
	"write_files", "yum_repos", "'1'",
}

// With whatever else is accepted under any key, a guest joins.
func TestWhateverIsAcceptedJoins(t *testing.T) {
	t.Parallel()
	values := append([]string{
		"{a: b}", "[a, {b: c}, 1]", "[[a, b], [c]]", "{mine: {type: log}}", "[{path: /x, content: y}]", "{a: {b: {c: [d]}}}",
		"{sources: {a: {source: 7}}}",
		"{primary: [{arches: 7}]}", "{sources: {a: }}", "{commands: {'00': [a, 7]}}", "{distro: x}", "[{name: 7, 8: x}]",
		"{'1': {2: 3}}",
	}, cloudinittest.Awkward...)
	random := rand.New(rand.NewPCG(3, 4))
	count, _ := strconv.Atoi(os.Getenv("YAML_DOCUMENTS"))
	rendered := map[string]string{}
	for range max(count/10, 400) {
		var b strings.Builder
		b.WriteString("#cloud-config\n")
		for range 1 + random.IntN(3) {
			b.WriteString(keysOfModules[random.IntN(len(keysOfModules))] + ": " + values[random.IntN(len(values))] + "\n")
		}
		m := blueprinttest.Member()
		m.Template.CloudInit.UserData = b.String()
		if r, err := renderSecret(m, blueprinttest.Facts()); err == nil {
			rendered[b.String()] = string(r.Data[UserDataKey])
		}
	}
	if len(rendered) < 50 {
		t.Errorf("only %d are accepted", len(rendered))
	}
	for name, b := range firstBoots(t, rendered, 20) {
		for _, wrong := range b.wrong() {
			t.Errorf("%q: %s", name, wrong)
		}
	}
}
