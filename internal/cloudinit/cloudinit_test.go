package cloudinit

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	yamlv3 "go.yaml.in/yaml/v3"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// cloudConfig is a #cloud-config as cloud-init reads it.
type cloudConfig struct {
	Hostname       string      `json:"hostname"`
	Timezone       string      `json:"timezone"`
	PackageUpdate  *bool       `json:"package_update"`
	Packages       []string    `json:"packages"`
	AuthorizedKeys *[]string   `json:"ssh_authorized_keys"`
	WriteFiles     []writeFile `json:"write_files"`
	BootCmd        []any       `json:"bootcmd"`
	RunCmd         []any       `json:"runcmd"`
}

// clearState is the command with which every member begins.
var clearState = []any{"cloud-init-per", "instance", "nomad-client-state", "rm", "-rf", "/opt/nomad/data/client"}

type writeFile struct {
	Path        string `json:"path"`
	Permissions string `json:"permissions"`
	Content     string `json:"content"`
}

func renderUserData(t *testing.T, m blueprint.Member) (string, cloudConfig) {
	t.Helper()
	text := string(mustRenderSecret(t, m, blueprinttest.Facts()).Data["userdata"])
	var config cloudConfig
	if err := yaml.Unmarshal([]byte(text), &config); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return text, config
}

func TestUserDataOfAPlainTemplate(t *testing.T) {
	m := blueprinttest.Member()
	text, got := renderUserData(t, m)
	if !strings.HasPrefix(text, "#cloud-config\n") {
		t.Errorf("begins with %.20q", text)
	}
	want := cloudConfig{
		Hostname:       "batch-7f3k9",
		AuthorizedKeys: &[]string{"ssh-ed25519 AAAAC3Nza ops"},
		WriteFiles: []writeFile{
			{"/opt/nomad/data/client/client-id", "0600", blueprinttest.NodeID},
			{"/etc/nomad.d/nomad.hcl", "0640", nomadConfig(m)},
		},
		BootCmd: []any{clearState},
		RunCmd: []any{
			[]any{"systemctl", "enable", "nomad.service"},
			[]any{"systemctl", "enable", "nomad.service"},
			[]any{"systemctl", "restart", "nomad.service"},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if !strings.Contains(text, "content: "+blueprinttest.NodeID+"\n") {
		t.Errorf("the client ID is not a plain scalar:\n%s", text)
	}
}

func TestUserDataMerge(t *testing.T) {
	m := blueprinttest.Member()
	m.IntroductionToken = "eyJ.abc.def"
	m.Template.CloudInit = v1alpha1.CloudInit{GuestAgent: true, UserData: `#cloud-config
hostname: mine
timezone: Europe/Berlin
package_update: false
packages: [jq]
ssh_authorized_keys: [ssh-rsa mine]
write_files:
- {path: /etc/motd, permissions: "0644", content: hi}
bootcmd:
- echo zeroth
runcmd:
- echo first
`}
	yes, mark := true, endOf(list(t, "echo first"))
	want := cloudConfig{
		Hostname:       "batch-7f3k9",
		Timezone:       "Europe/Berlin",
		PackageUpdate:  &yes,
		Packages:       []string{"jq", "qemu-guest-agent"},
		AuthorizedKeys: &[]string{"ssh-rsa mine", "ssh-ed25519 AAAAC3Nza ops"},
		WriteFiles: []writeFile{
			{"/opt/nomad/data/client/client-id", "0600", blueprinttest.NodeID},
			{"/opt/nomad/data/client/intro_token.jwt", "0600", "eyJ.abc.def"},
			{"/etc/nomad.d/nomad.hcl", "0640", nomadConfig(m)},
			{"/etc/motd", "0644", "hi"},
		},
		BootCmd: []any{clearState, "echo zeroth"},
		RunCmd: []any{
			[]any{"systemctl", "enable", "--now", "qemu-guest-agent.service"},
			[]any{"systemctl", "enable", "nomad.service"},
			separateShell(mark), "echo first", mark,
			[]any{"systemctl", "enable", "nomad.service"},
			[]any{"systemctl", "restart", "nomad.service"},
		},
	}
	if _, got := renderUserData(t, m); !cmp.Equal(want, got) {
		t.Errorf("(-want +got):\n%s", cmp.Diff(want, got))
	}
}

func TestUserDataWithoutKeysHasNoEmptyList(t *testing.T) {
	m := blueprinttest.Member()
	m.Template.SSHKeys = nil
	m.Template.CloudInit.UserData = "#cloud-config\npackages:\n"
	text, got := renderUserData(t, m)
	if got.AuthorizedKeys != nil || strings.Contains(text, "packages") {
		t.Errorf("ssh_authorized_keys or packages is there:\n%s", text)
	}
}

func TestCloudInitFromSecrets(t *testing.T) {
	m := blueprinttest.Member()
	m.Template.CloudInit = v1alpha1.CloudInit{
		UserDataSecretRef:    &v1alpha1.SecretKeyRef{Name: "site", Key: "user"},
		NetworkDataSecretRef: &v1alpha1.SecretKeyRef{Name: "site", Key: "net"},
	}
	if _, got := renderUserData(t, m); got.Timezone != "Europe/Berlin" {
		t.Errorf("timezone = %q", got.Timezone)
	}
	if got := string(mustRenderSecret(t, m, blueprinttest.Facts()).Data["networkdata"]); got != "version: 1\nconfig: []\n" {
		t.Errorf("networkdata = %q", got)
	}
}

// With one network cloud-init knows better; the key has to be there for Harvester's UI. With several, the default
// route is the first one's.
func TestNetworkDataDefault(t *testing.T) {
	m := blueprinttest.Member()
	if text, ok := mustRenderSecret(t, m, blueprinttest.Facts()).Data["networkdata"]; !ok || len(text) > 0 {
		t.Errorf("for one network: %q, %v", text, ok)
	}
	m.Template.Networks = append(m.Template.Networks, v1alpha1.Network{Name: "nomad-clients/storage"})
	var got any
	if err := yaml.Unmarshal(mustRenderSecret(t, m, blueprinttest.Facts()).Data["networkdata"], &got); err != nil {
		t.Fatal(err)
	}
	nic := func(name string, metric float64) map[string]any {
		return map[string]any{"match": map[string]any{"name": name}, "dhcp4": true,
			"dhcp4-overrides": map[string]any{"route-metric": metric}}
	}
	want := map[string]any{"version": float64(2), "ethernets": map[string]any{
		"first": nic("enp1s0", 100), "first-eth": nic("eth0", 100), "others": nic("e*", 1000),
	}}
	if diff := cmp.Diff(any(want), got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// laughs stands for a billion words.
var laughs = func() string {
	text := "a0: &a0 [lol]\n"
	for i := range 9 {
		text += fmt.Sprintf("a%d: &a%d [%s]\n", i+1, i+1,
			strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 10), ", "))
	}
	return text
}()

func TestParseUserDataRefuses(t *testing.T) {
	apt, download := &v1alpha1.NomadInstall{Apt: blueprinttest.Apt()}, &v1alpha1.NomadInstall{
		Download: blueprinttest.Download()}
	tests := map[string]struct {
		text, want string
		install    *v1alpha1.NomadInstall
	}{
		"a script": {text: "#!/bin/sh\ntrue\n",
			want: "the first line is not #cloud-config, it is a script; only such documents"},
		"multi-part": {text: "Content-Type: multipart/mixed\n",
			want: "the first line is not #cloud-config, it is a multi-part document"},
		"a jinja template": {text: "## template: jinja\n#cloud-config\n", want: "the first line is not #cloud-config"},
		"a longer word": {text: "#cloud-config-archive\n- a\n",
			want: "the first line is not #cloud-config, it is an archive"},
		"words":    {text: "password: secret\n", want: "the first line is not #cloud-config; only such documents"},
		"bad YAML": {text: "#cloud-config\na: [\n", want: "see there, and above for what was opened and isn't closed"},
		"a key twice": {text: "#cloud-config\na: 1\n'a': 2\n",
			want: "not valid YAML: line 3: a key that the same mapping has already"},
		"a key of a list": {text: "#cloud-config\n? [a]\n: b\n",
			want: "not valid YAML: line 2: a key that is a list or a mapping"},
		"no such anchor": {text: "#cloud-config\na: 1\npassword: *S3cret\n",
			want: "not valid YAML: line 3: an alias (*name) of what has no such anchor (&name); quote the value"},
		"within itself": {text: "#cloud-config\na: &a\n- *a\n",
			want: "not valid YAML: line 3: an alias within what it stands for"},
		"a merged list": {text: "#cloud-config\na: {<<: [1]}\n",
			want: "not valid YAML: line 2: a merge key (<<) of what is neither"},
		"an unknown tag": {text: "#cloud-config\na: 1\nb: !vault S3cret\n",
			want: "not valid YAML: line 3: a tag that cloud-init doesn't know"},
		"aliases of aliases": {text: "#cloud-config\n" + laughs, want: "more than 4000 keys and values, with what aliases stand for"},
		"a list":             {text: "#cloud-config\n- a\n", want: "not a mapping"},
		"a scalar":           {text: "#cloud-config\nhello\n", want: "not a mapping"},
		"after the end": {text: "#cloud-config\na: 1\n...\nb: 2\n",
			want: "not valid YAML: line 3: did not find expected <document start>"},
		"two documents": {text: "#cloud-config\na: 1\n...\nb: 2\n",
			want: "not valid YAML: line 3: did not find expected <document start>"},
		"no list to add to": {text: "#cloud-config\nruncmd: reboot\n", want: "runcmd, line 2: it is not a list"},
		"our configuration": {
			text: "#cloud-config\nwrite_files:\n- path: /etc/nomad.d//nomad.hcl\n",
			want: "write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller",
		},
		"our ID": {text: "#cloud-config\nwrite_files:\n- path: /a\n- path: /opt/nomad/data/client/client-id\n",
			want: "write_files[1].path: /opt/nomad/data/client/client-id belongs to the controller"},
		"our token": {text: "#cloud-config\nwrite_files:\n- path: /opt/nomad/data/client/intro_token.jwt\n",
			want: "belongs to the controller"},
		"the member's file as bytes": {
			text: "#cloud-config\nwrite_files:\n- path: /a\n- {content: x, path: !!binary L2V0Yy9ub21hZC5kL25vbWFkLmhjbA==}\n",
			want: "write_files[1].path, line 4: it is not text; write it without a tag, and in quotes if it looks like a number or a date",
		},
		"the member's file as bytes, later": {
			text: "#cloud-config\nwrite_files: [{path: !!binary L2V0Yy9ub21hZC5kL25vbWFkLmhjbA==, defer: true}]\n",
			want: "write_files[0].path, line 2: it is not text"},
		"the member's file by an anchor": {
			text: "#cloud-config\nx: &p !!binary L2V0Yy9ub21hZC5kL25vbWFkLmhjbA==\nwrite_files: [{path: *p}]\n",
			want: "write_files[0].path, line 2: it is not text"},
		"the member's file by a merge key": {
			text: "#cloud-config\nx: &f {path: /etc/nomad.d/nomad.hcl}\nwrite_files: [{<<: *f, content: x}]\n",
			want: "write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller"},
		"the member's file with a tag": {text: "#cloud-config\nwrite_files: [{path: !!str /etc/nomad.d/nomad.hcl}]\n",
			want: "belongs to the controller"},
		"the member's file in another language": {
			text: "#cloud-config\nwrite_files: [{path: !!python/unicode /etc/nomad.d/nomad.hcl}]\n",
			want: "line 2: a tag that cloud-init doesn't know"},
		"the member's file without a slash": {text: "#cloud-config\nwrite_files: [{path: etc/nomad.d/nomad.hcl}]\n",
			want: "belongs to the controller"},
		"the member's file by a detour": {
			text: "#cloud-config\nwrite_files: [{path: /../etc//x/./../nomad.d/nomad.hcl/}]\n",
			want: "belongs to the controller",
		},
		"the member's file, deferred": {text: "#cloud-config\nwrite_files: [{path: /etc/nomad.d/nomad.hcl, defer: true}]\n",
			want: "belongs to the controller"},
		"a path that is a number": {text: "#cloud-config\nwrite_files: [{path: 12}]\n",
			want: "write_files[0].path, line 2: it is not text"},
		"a path that is a list": {text: "#cloud-config\nwrite_files: [{path: [/a]}]\n",
			want: "write_files[0].path, line 2: it is not text"},
		"two paths": {text: "#cloud-config\nwrite_files: [{path: /a, 'path': /etc/nomad.d/nomad.hcl}]\n",
			want: "line 2: a key that the same mapping has already"},
		"a tag on the key": {text: "#cloud-config\nwrite_files: [{!!python/unicode path: /etc/nomad.d/nomad.hcl}]\n",
			want: "line 2: a tag that cloud-init doesn't know"},
		"the list of files by a tag on its key": {
			text: "#cloud-config\nwrite_files: []\n!!python/unicode write_files: [{path: /a}]\n",
			want: "line 3: a tag that cloud-init doesn't know"},
		"the list of files by two tags": {
			text: "#cloud-config\nwrite_files: []\n!!str write_files: [{path: /a}]\n",
			want: "line 3: a key with a tag, by which cloud-init may take it for another"},
		"a file that is null": {text: "#cloud-config\nwrite_files:\n- path: /a\n-\n",
			want: "write_files[1], line 4: it is not a mapping, and cloud-init would write none of the files; write it as one with path and content"},
		"a file that is a word": {text: "#cloud-config\nwrite_files: [defer]\n",
			want: "write_files[0], line 2: it is not a mapping"},
		"a file that is a set": {text: "#cloud-config\nwrite_files: [!!set {path, defer}]\n",
			want: "line 2: a tag that cloud-init doesn't know"},
		"a file that is pairs": {text: "#cloud-config\nwrite_files: [!!omap [path: /etc/nomad.d/nomad.hcl]]\n",
			want: "line 2: a tag that cloud-init doesn't know"},
		"a mount with a tag": {text: "#cloud-config\nmounts: [[vdb, !!python/unicode /opt/nomad]]\n",
			want: "line 2: a tag that cloud-init doesn't know"},
		"a mount without a slash": {
			text: "#cloud-config\nmounts: [[vdb, opt//nomad/data/]]\n",
			want: "mounts[0]: /opt/nomad/data would hide",
		},
		"files not a list":   {text: "#cloud-config\nwrite_files: /a\n", want: "write_files, line 2: it is not a list"},
		"packages a mapping": {text: "#cloud-config\npackages: {apt: [jq]}\n", want: "packages, line 2: it is not a list"},
		"apt a list":         {text: "#cloud-config\napt: [jq]\n", want: "apt, line 2: it is not a mapping; write it as one"},
		"its sources a list": {text: "#cloud-config\napt: {sources: [a]}\n",
			want: "apt.sources, line 2: it is not a mapping; write it as one"},
		"our certificate": {text: "#cloud-config\nwrite_files:\n- path: /etc/nomad.d/tls/tls.crt\n",
			want: "belongs to the controller"},
		"its own merge":      {text: "#cloud-config\nmerge_how: list(append)\n", want: "merge_how can't be chosen"},
		"its own merge type": {text: "#cloud-config\nmerge_type: list(append)\n", want: "merge_type can't be chosen"},
		"a mount over the ID": {
			text: "#cloud-config\nmounts:\n- [vdb, none, swap]\n- [LABEL=data, /opt/nomad/]\n",
			want: "mounts[1]: /opt/nomad would hide /opt/nomad/data/client, which is written before anything is mounted; mount a disk for the data of jobs at /opt/nomad/data/alloc",
		},
		"a mount over the configuration": {text: "#cloud-config\nmounts: [[vdb, /etc/nomad.d]]\n",
			want: "mounts[0]: /etc/nomad.d would hide /etc/nomad.d"},
		"a mount by a relative path": {text: "#cloud-config\nmounts: [[vdb, etc/nomad.d]]\n",
			want: "mounts[0]: /etc/nomad.d would hide /etc/nomad.d"},
		"our unit": {text: "#cloud-config\nwrite_files:\n- path: /etc/systemd/system/nomad.service\n",
			want: "belongs to the controller", install: download},
		"our installer": {text: "#cloud-config\nwrite_files:\n- path: /usr/local/sbin/install-nomad\n",
			want: "belongs to the controller", install: download},
		"our key": {text: "#cloud-config\nwrite_files:\n- path: /etc/apt/keyrings/nomad-harvester.asc\n",
			want: "belongs to the controller", install: apt},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			if err := CheckUserData(nil, tt.text, tt.install); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestParseUserDataAccepts(t *testing.T) {
	for _, text := range []string{
		"", " \n", "#cloud-config", "#cloud-config\n", "#cloud-config \r\na: 1\r\n", "#cloud-config\n# nothing\n",
		"#cloud-config\n---\na: 1\n",
		"#cloud-config\nwrite_files: [{path: /etc/nomad.d/50-site.hcl, content: disable_update_check = true}]\n", "#cloud-config\nruncmd:\n",
		"#cloud-config\nmounts: [[vdb, /opt/nomad/data/alloc], [vdc], /x, [LABEL=root, /], [vdd, /opt/nomad-data]]\n",
		"#cloud-config\nwrite_files: [{path: /etc/systemd/system/nomad.service, content: x}]\n",
	} {
		if err := CheckUserData(nil, text, nil); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// What the pool sets takes the place of what the Harvester template has of another kind.
func TestStackOfOtherKinds(t *testing.T) {
	from := &blueprint.TemplateCloudInit{UserData: "#cloud-config\nusers: jim\nntp: [a]\npackages: [jq]\n"}
	stacked, err := stackUserData(from, "#cloud-config\nusers: [joe]\nntp: {enabled: true}\npackages: [vim]\n")
	if err != nil {
		t.Fatal(err)
	}
	got, err := writeYAML(stacked)
	if want := "users:\n- joe\nntp:\n  enabled: true\npackages:\n- jq\n- vim\n"; got != want || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// CheckUserData tries the user's document against every list and mapping that a member's own may have.
func TestEveryKeyIsChecked(t *testing.T) {
	m := blueprinttest.Member()
	m.IntroductionToken, m.Template.CloudInit.GuestAgent = "x", true
	for _, install := range []*v1alpha1.NomadInstall{nil, {Apt: blueprinttest.Apt()}, {Download: blueprinttest.Download()}} {
		m.Client.Install = install
		for key, value := range memberCloudConfig(m, blueprinttest.Facts()) {
			_, isList := value.([]any)
			_, isMapping := value.(map[string]any)
			if _, checked := everyKey[key]; checked != (isList || isMapping) {
				t.Errorf("%s: is a list or mapping: %v, is checked: %v", key, isList || isMapping, checked)
			}
		}
	}
}

// Numbers and words that YAML could take for something else reach the guest as they were written.
func TestUserDataKeepsValues(t *testing.T) {
	m := blueprinttest.Member()
	m.Template.CloudInit.UserData = "#cloud-config\nsalt_minion: {conf: {big: 12345678901234567890, frac: 1.50, mode: \"0644\", word: \"yes\", text: \"a\\nb\\n\", " +
		"short: y, octal: 0899, power: 7E10, data: !!binary aGVsbG8=, oct: 0o17, time: 12:30:45, folded: '0899'}}\n"
	text, _ := renderUserData(t, m)
	for _, want := range []string{"big: 12345678901234567890\n", "frac: 1.50\n", `mode: "0644"`, `word: "yes"`,
		"text: |\n",
		"short: y\n", "octal: 0899\n", "power: 7E10\n", "data: !!binary aGVsbG8=\n", "oct: 0o17\n", "time: 12:30:45\n",
		"folded: \"0899\"\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in:\n%s", want, text)
		}
	}
}

// list are the items of a list as they are read.
func list(t interface{ Fatal(args ...any) }, items ...any) []*yamlv3.Node {
	text, err := json.Marshal(map[string]any{"list": items})
	if err != nil {
		t.Fatal(err)
	}
	config, err := parseYAMLMapping(string(text))
	if err != nil {
		t.Fatal(err)
	}
	return itemsOf(valueOf(config, "list"))
}

// mergedMaps is mergeCloudConfig of what two documents say.
func mergedMaps(user, member map[string]any) (map[string]any, error) {
	var nodes [2]*yamlv3.Node
	for i, config := range []map[string]any{user, member} {
		doc, err := json.Marshal(config)
		if err != nil {
			return nil, err
		}
		if nodes[i], err = parseYAMLMapping(string(doc)); err != nil {
			return nil, err
		}
	}
	merged, err := mergeCloudConfig(nodes[0], nodes[1])
	if err != nil {
		return nil, err
	}
	text, err := writeYAML(merged)
	if err != nil {
		return nil, err
	}
	var config map[string]any
	return config, yaml.Unmarshal([]byte(text), &config)
}

// The user's items of a list stay, first and in their order; what the member needs follows. Of files and commands it
// comes first, and the user's commands are in a separate shell.
func TestMergeCloudConfigKeepsBoth(t *testing.T) {
	keys := rapid.SampledFrom([]string{"hostname", "runcmd", "packages", "other", "write_files"})
	items := rapid.SliceOfN(rapid.StringMatching(`[a-z]`), 0, 3)
	rapid.Check(t, func(t *rapid.T) {
		user, member := map[string]any{}, map[string]any{}
		for _, config := range []map[string]any{user, member} {
			for key, list := range rapid.MapOf(keys, items).Draw(t, "config") {
				all := []any{}
				for _, item := range list {
					all = append(all, item)
				}
				config[key] = all
			}
		}
		got, err := mergedMaps(user, member)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"hostname", "runcmd", "packages", "other", "write_files"} {
			first, _ := user[key].([]any)
			second, _ := member[key].([]any)
			all, _ := got[key].([]any)
			_, both := member[key]
			switch {
			case key == "write_files":
				first, second = second, first
			case key == "runcmd" && both && len(first) > 0:
				mark := endOf(list(t, first...))
				first, second = second, slices.Concat([]any{separateShell(mark)}, first, []any{mark})
			}
			if want := append(append([]any{}, first...), second...); len(want)+len(all) > 0 && !cmp.Equal(want, all) {
				t.Fatalf("%s: %v and %v give %v", key, first, second, all)
			}
		}
	})
}
