package cloudinit

import (
	"encoding/json"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

// aptModules does with each document what cloud-init does about sources and packages, with nothing behind it: no key
// server, no PPA.
const aptModules = `
import json, sys
from unittest import mock
from cloudinit import gpg, subp, util
from cloudinit.config import cc_apt_configure as apt
out = {}
for name, text in json.load(sys.stdin).items():
    out[name] = said = {"Source": False, "Package": False, "Failed": ""}
    config = util.load_yaml(text)
    written = []
    def run(args, *_, **__):
        if args[0] in ("add-apt-repository", "gpg", "gpgconf"):
            raise subp.ProcessExecutionError(cmd=args, exit_code=1)
        return ("amd64", "")
    cloud = mock.Mock()
    cloud.datasource.get_package_mirror_info.return_value = {"primary": "http://p", "security": "http://s"}
    with mock.patch.multiple(util, write_file=lambda path, *_, **__: written.append(path), rename=mock.Mock(), load_file=lambda *_, **__: "",
            lsb_release=lambda *_, **__: {"codename": "bookworm"}, get_dpkg_architecture=lambda *_: "amd64", get_installed_packages=lambda *_: []), \
         mock.patch.object(subp, "subp", run), mock.patch.object(gpg, "getkeybyid", mock.Mock(side_effect=ValueError("no key"))), \
         mock.patch.object(apt, "apply_apt_config"):
        try:
            apt.handle("apt", config, cloud, None, [])
        except Exception as e:
            said["Failed"] += repr(e)
    said["Source"] = "/etc/apt/sources.list.d/nomad-harvester.list" in [str(path) for path in written]
    try:
        said["Package"] = "nomad=1.11.*" in util.expand_package_list("%s=%s", config.get("packages"))
    except Exception as e:
        said["Failed"] += repr(e)
json.dump(out, sys.stdout)
`

// Whatever is wrong with the user's packages and sources, Nomad's source is set up and its package asked for, or at
// least installed by the controller's script; or the pool's condition names what is wrong.
func TestNothingOfTheUsersKeepsNomadFromBeingInstalled(t *testing.T) {
	t.Parallel()
	const noPackage = "it is neither a name nor a list of name and version, and cloud-init would install none of the packages"
	tests := map[string]struct {
		text, refused string
		// script says that only the script gets Nomad into the guest.
		script bool
	}{
		"nothing":               {text: ""},
		"packages":              {text: "packages: [jq, [docker.io], [git, '1:2.39']]\n"},
		"packages of a manager": {text: "packages:\n- apt: [jq]\n- snap: [lxd]\n", script: true},
		"a package as mapping":  {text: "packages:\n- name: jq\n", refused: "packages[0], line 3: " + noPackage},
		"a package as number":   {text: "packages: [jq, 7]\n", refused: "packages[1], line 2: " + noPackage},
		"no package":            {text: "packages:\n-\n- jq\n", refused: "packages[0], line 3: " + noPackage},
		"three words":           {text: "packages: [[jq, '1', x]]\n", refused: "packages[0], line 2: " + noPackage},
		"no words":              {text: "packages: [[]]\n", refused: "packages[0], line 2: " + noPackage},
		"a list of numbers":     {text: "packages: [[7, 8]]\n", refused: "packages[0], line 2: " + noPackage},
		"bytes":                 {text: "packages: [!!binary anE=]\n", refused: "packages[0], line 2: " + noPackage},
		"former sources": {
			text:    "apt_sources:\n- source: 'deb http://example.com/debian stable main'\n",
			refused: "apt_sources, line 3: it does nothing beside apt, under which the controller adds Nomad's source; write it under apt",
		},
		"a former proxy": {
			text:    "apt_proxy: http://proxy:3128\n",
			refused: "apt_proxy, line 2: it does nothing beside apt",
		},
		"former keys of nothing": {text: "apt_sources:\napt_pipelining: false\n"},
		"a source that is null": {text: "apt: {sources: {docker.list: }}\n",
			refused: "apt.sources, line 2: it is not a mapping with source as text, and cloud-init would set up no source after it"},
		"a source that is text": {
			text:    "apt: {sources: {docker.list: deb http://x y z}}\n",
			refused: "apt.sources, line 2: it is not a mapping",
		},
		"a numeric source": {
			text:    "apt:\n  sources:\n    a.list: {source: 'deb http://x y z'}\n    b.list: {source: 7}\n",
			refused: "apt.sources, line 5: it is not a mapping with source as text",
		},
		"a numeric filename": {
			text:    "apt: {sources: {a: {source: 'deb http://x y z', filename: 7}}}\n",
			refused: "apt.sources, line 2: it is not a mapping",
		},
		"our source": {text: "apt: {sources: {nomad-harvester.list: {keyid: '0000'}}}\n",
			refused: "apt.sources, line 2: nomad-harvester.list belongs to the controller; give the source another name"},
		"our source by its file": {
			text:    "apt: {sources: {a: {source: 'deb http://x y z', filename: nomad-harvester}}}\n",
			refused: "nomad-harvester.list belongs to the controller",
		},
		"our source by its path": {
			text:    "apt: {sources: {/etc/apt/x/../sources.list.d/nomad-harvester: {source: 'deb http://x y z'}}}\n",
			refused: "nomad-harvester.list belongs to the controller",
		},
		"an unreachable key": {
			text: "apt: {sources: {docker.list: {source: 'deb http://x y z', keyid: '0000', keyserver: 'keys.invalid'}}}\n",
		},
		"an unknown PPA": {text: "apt: {sources: {a.list: {source: 'ppa:no/such'}}}\n"},
		"a key alone":    {text: "apt: {sources: {a.list: {key: x}}}\n"},
		"a mirror as mapping": {
			text:    "apt: {primary: {arches: [default], uri: 'http://x'}}\n",
			refused: "apt.primary, line 2: it is not a list of mappings, and cloud-init would set up no source; write it as one",
		},
		"a mirror as text": {
			text:    "apt: {security: [http://x]}\n",
			refused: "apt.security, line 2: it is not a list of mappings",
		},
		"a mirror":                 {text: "apt: {primary: [{arches: [default], uri: 'http://x'}]}\n"},
		"a broken pattern":         {text: "apt: {add_apt_repo_match: '('}\n", script: true},
		"selections that are none": {text: "apt: {debconf_selections: 7}\n", script: true},
		"apt of nothing":           {text: "apt:\npackages:\n"},
	}
	m := blueprinttest.Member()
	m.Client.Install = &v1alpha1.NomadInstall{Apt: blueprinttest.Apt()}
	rendered := map[string]string{}
	for name, tt := range tests {
		m.Template.CloudInit.UserData = "#cloud-config\n" + tt.text
		s, err := renderSecret(m, blueprinttest.Facts())
		switch {
		case tt.refused != "" && (err == nil || !strings.Contains(err.Error(), tt.refused)):
			t.Errorf("%s: %v, want %q", name, err, tt.refused)
		case tt.refused == "":
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			rendered[name] = string(s.Data[UserDataKey])
			if commands := itemsOf(valueOf(userConfig(t, rendered[name]), "runcmd")); textOf(
				itemsOf(commands[0])[0]) != nomadPackageFile {
				t.Errorf("%s: the script isn't run first", name)
			}
		}
	}
	var results map[string]struct {
		Source, Package bool
		Failed          string
	}
	if err := json.Unmarshal(cloudinittest.Ask(t, aptModules, rendered), &results); err != nil {
		t.Fatal(err)
	}
	for name, r := range results {
		if (r.Source && r.Package) == tests[name].script {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func userConfig(t *testing.T, text string) *yaml.Node {
	t.Helper()
	config, err := parseUserData(text)
	if err != nil {
		t.Fatal(err)
	}
	return config
}

// None of it matters where the image has Nomad.
func TestPackagesWithoutInstall(t *testing.T) {
	for _, text := range []string{"packages: [7]\n", "apt_sources: [a]\n", "apt: {sources: {nomad-harvester.list: }}\n",
		"apt: {primary: 7}\n"} {
		if err := CheckUserData(nil, "#cloud-config\n"+text, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}
