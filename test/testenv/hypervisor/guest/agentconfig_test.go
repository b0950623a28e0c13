package guest

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestReadAgentConfigMergesLikeTheAgent(t *testing.T) {
	root := rootWith(t, map[string]string{
		"/etc/nomad.d/nomad.hcl": `
			name = "batch-1"
			data_dir = "/opt/nomad/data"
			client {
				enabled = true
				node_pool = "batch"
				servers = ["10.0.0.1:4647"]
				meta { "hnp.member" = "batch-1" index = 3 }
				options = { "fingerprint.denylist" = "env_aws" }
			}
			tls { rpc = true ca_file = "/etc/nomad.d/ca.pem" }`,
		"/etc/nomad.d/50-site.hcl": `client { node_class = "early" meta { rack = "a" } }`,
		"/etc/nomad.d/zz-site.json": `{"datacenter": "dc7", "client": {"node_class": "late", ` +
			`"server_join": {"retry_join": ["10.0.0.2:4647"]}}}`,
		"/etc/nomad.d/readme.txt": `not HCL {`,
	})
	c, err := readClientConfig(root, []string{configDir})
	if err != nil {
		t.Fatal(err)
	}
	if c.Name != "batch-1" || c.Region != "global" || c.Datacenter != "dc7" || c.stateDir() != "/opt/nomad/data/client" ||
		!c.TLS.RPC ||
		c.TLS.CAFile != "/etc/nomad.d/ca.pem" {
		t.Errorf("config = %+v, TLS %+v", c, c.TLS)
	}
	if c.Client.NodePool != "batch" || c.Client.NodeClass != "late" {
		t.Errorf("client = %+v", c.Client)
	}
	if want := map[string]string{"hnp.member": "batch-1", "index": "3", "rack": "a"}; !reflect.DeepEqual(c.Client.Meta,
		want) {
		t.Errorf("meta = %v, want %v", c.Client.Meta, want)
	}
	if want := []string{"10.0.0.1:4647", "10.0.0.2:4647"}; !reflect.DeepEqual(c.Client.serverAddresses(), want) {
		t.Errorf("servers = %v, want %v", c.Client.serverAddresses(), want)
	}
}

func TestReadClientConfigRefuses(t *testing.T) {
	for name, config := range map[string]string{
		"a server":    `data_dir = "/d" server { enabled = true }`,
		"no data_dir": `client { enabled = true }`,
		"broken":      `client {`,
	} {
		root := rootWith(t, map[string]string{"/etc/nomad.d/nomad.hcl": config})
		if _, err := readClientConfig(root, []string{configDir}); !errors.Is(err, ErrNoClient) {
			t.Errorf("%s: %v, want ErrNoClient", name, err)
		}
	}
}

func TestConfigPathsComeFromTheUnit(t *testing.T) {
	const dropIn = unitFile + ".d/10-config.conf"
	cases := []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"packaged unit", nil, []string{"/etc/nomad.d"}},
		{"own unit",
			map[string]string{unitFile: "[Service]\nExecStart=/usr/bin/nomad agent -config=/etc/nomad -config /etc/extra.hcl\n"},
			[]string{"/etc/nomad", "/etc/extra.hcl"}},
		{"two dashes", map[string]string{unitFile: "ExecStart=nomad agent --config /a"}, []string{"/a"}},
		{"drop-in", map[string]string{dropIn: "[Service]\nExecStart=\nExecStart=nomad agent -config /b\n"}, []string{"/b"}},
	}
	for _, c := range cases {
		if got := configPaths(rootWith(t, c.files)); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: config paths %v, want %v", c.name, got, c.want)
		}
	}
}

func TestEnvironment(t *testing.T) {
	root := rootWith(t,
		map[string]string{"/etc/nomad.d/nomad.env": "# comment=1\nNOMAD_CLIENT_INTRO_TOKEN=\"jwt\"\n\nEMPTY=\nnonsense\n"})
	want := []string{"NOMAD_CLIENT_INTRO_TOKEN=jwt", "EMPTY="}
	if got := environment(root); !reflect.DeepEqual(got, want) {
		t.Errorf("environment = %q, want %q", got, want)
	}
}

func TestLoopbackAdaptationStaysInsideTheGuest(t *testing.T) {
	m := Machine{Namespace: "ns", Name: "vm", Disk: "/disk", CPUs: 3, MemoryMiB: 512}
	c := &agentConfig{
		DataDir: "/opt/nomad", LogFile: "/var/log/nomad.log",
		Client: &clientConfig{AllocDir: "/alloc", Options: map[string]string{"fingerprint.denylist": "env_hetzner"}},
		TLS:    &tlsConfig{CAFile: "/etc/ca.pem"},
	}
	file, err := loopbackAdaptation(m, c, nil)
	if err != nil {
		t.Fatal(err)
	}
	client := file["client"].(map[string]any)
	paths := []any{file["data_dir"], file["log_file"], client["alloc_dir"], file["tls"].(map[string]any)["ca_file"]}
	for _, path := range paths {
		if s, ok := path.(string); !ok || !strings.HasPrefix(s, "/disk/root/") {
			t.Errorf("path %v isn't below the guest's root", path)
		}
	}
	for _, key := range []string{"state_dir", "alloc_mounts_dir"} {
		if _, ok := client[key]; ok {
			t.Errorf("adaptation sets %s, which the configuration doesn't", key)
		}
	}
	denied := client["options"].(map[string]string)["fingerprint.denylist"]
	if !strings.Contains(denied, "env_hetzner,") || !strings.Contains(denied, "env_aws") {
		t.Errorf("fingerprint.denylist = %q, want the rendered one and ours", denied)
	}
	if client["cpu_total_compute"] != 3000 || client["memory_total_mb"] != 512 {
		t.Errorf("size = %v MHz, %v MiB", client["cpu_total_compute"], client["memory_total_mb"])
	}
}

func rootWith(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		if err := write(root, path, content); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, "etc")); err != nil && len(files) > 0 {
		t.Fatal(err)
	}
	return root
}
