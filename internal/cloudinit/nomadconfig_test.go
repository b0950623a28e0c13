package cloudinit

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl"
	"github.com/hashicorp/hcl/v2/hclparse"
	"k8s.io/apimachinery/pkg/api/resource"
	"pgregory.net/rapid"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// agentConfig is the part of Nomad's agent configuration that is rendered, with Nomad's tags (Nomad:
// command/agent/config.go).
type agentConfig struct {
	Name               string        `hcl:"name"`
	Region             string        `hcl:"region"`
	Datacenter         string        `hcl:"datacenter"`
	DataDir            string        `hcl:"data_dir"`
	BindAddr           string        `hcl:"bind_addr"`
	DisableUpdateCheck *bool         `hcl:"disable_update_check"`
	LeaveOnInt         *bool         `hcl:"leave_on_interrupt"`
	LeaveOnTerm        *bool         `hcl:"leave_on_terminate"`
	Client             *clientConfig `hcl:"client"`
	TLS                *tlsConfig    `hcl:"tls"`
}

type clientConfig struct {
	Enabled    bool              `hcl:"enabled"`
	NodePool   string            `hcl:"node_pool"`
	NodeClass  string            `hcl:"node_class"`
	Meta       map[string]string `hcl:"meta"`
	Options    map[string]string `hcl:"options"`
	ServerJoin *serverJoin       `hcl:"server_join"`
	Reserved   *reserved         `hcl:"reserved"`
}

type reserved struct {
	CPU    int `hcl:"cpu"`
	Memory int `hcl:"memory"`
	Disk   int `hcl:"disk"`
}

type tlsConfig struct {
	HTTP     bool   `hcl:"http"`
	RPC      bool   `hcl:"rpc"`
	Verify   bool   `hcl:"verify_server_hostname"`
	CAFile   string `hcl:"ca_file"`
	CertFile string `hcl:"cert_file"`
	KeyFile  string `hcl:"key_file"`
}

type serverJoin struct {
	RetryJoin     []string `hcl:"retry_join"`
	RetryInterval string   `hcl:"retry_interval"`
}

// parsed reads a configuration with the parser that Nomad uses, which is that of HCL 1.
func parsed(t interface{ Fatalf(string, ...any) }, text string) agentConfig {
	var config agentConfig
	if err := hcl.Decode(&config, text); err != nil {
		t.Fatalf("Nomad can't read the configuration: %v\n%s", err, text)
	}
	return config
}

func TestNomadConfig(t *testing.T) {
	yes, no := true, false
	want := agentConfig{
		Name: "batch-7f3k9", Datacenter: "dc1", DataDir: "/opt/nomad/data", BindAddr: "0.0.0.0",
		DisableUpdateCheck: &yes, LeaveOnInt: &no, LeaveOnTerm: &no,
		Client: &clientConfig{
			Enabled: true, NodePool: "default", NodeClass: "batch",
			Meta: map[string]string{
				"harvester_pool": "nomad-clients/batch", "harvester_pool_uid": blueprinttest.PoolUID,
				"harvester_node": "batch-7f3k9",
			},
			Options:    map[string]string{"fingerprint.denylist": "env_aws,env_azure,env_digitalocean,env_gce"},
			ServerJoin: &serverJoin{RetryJoin: []string{"10.0.0.10:4647", "nomad-1.lan.example"}, RetryInterval: "15s"},
		},
	}
	m := blueprinttest.Member()
	m.Client.NodePool, m.Client.Meta = "", nil
	if diff := cmp.Diff(want, parsed(t, nomadConfig(m))); diff != "" {
		t.Errorf("with every default (-want +got):\n%s", diff)
	}

	m.Region = "eu"
	m.Client.NodePool, m.Client.NodeClass, m.Client.Datacenter = "batch", "big", "fra1"
	m.Client.Meta = map[string]string{"rack": "r1", "harvester_node": "an impostor"}
	want.Region, want.Datacenter = "eu", "fra1"
	want.Client.NodePool, want.Client.NodeClass = "batch", "big"
	want.Client.Meta["rack"] = "r1"
	m.Client.Reserved = &v1alpha1.NomadReserved{CPU: 500, Memory: resource.MustParse("500M"),
		Disk: resource.MustParse("2Gi")}
	want.Client.Reserved = &reserved{CPU: 500, Memory: 477, Disk: 2048}
	m.Client.ClientTLSSecretRef = &v1alpha1.SecretRef{Name: "nomad-tls"}
	want.TLS = &tlsConfig{
		HTTP: true, RPC: true, Verify: true,
		CAFile: "/etc/nomad.d/tls/ca.crt", CertFile: "/etc/nomad.d/tls/tls.crt", KeyFile: "/etc/nomad.d/tls/tls.key",
	}
	if diff := cmp.Diff(want, parsed(t, nomadConfig(m))); diff != "" {
		t.Errorf("with everything set (-want +got):\n%s", diff)
	}
}

// Whatever users write into meta reaches Nomad as it is, and can't add anything else to the configuration.
func TestNomadConfigQuotes(t *testing.T) {
	hard := []string{
		`"`,
		`\`,
		`${`,
		`${attr.x}`,
		`$${`,
		`%{ if true }`,
		"a\nb",
		"tab\t",
		"",
		" ",
		"}",
		"# no comment",
		"a.b",
		"ä€😀",
		"\u0000",
		"\ufeff",
		"\ue123",
		"\U000f0000",
	}
	rapid.Check(t, func(rt *rapid.T) {
		text := rapid.OneOf(rapid.SampledFrom(hard), rapid.String(), rapid.StringMatching(`["\\${}%\n]{0,8}`))
		m := blueprinttest.Member()
		m.Client.Meta = map[string]string{"k" + text.Draw(rt, "key"): text.Draw(rt, "value")}
		m.Client.NodeClass = "c" + text.Draw(rt, "class")
		config := nomadConfig(m)
		got := parsed(rt, config)
		if diff := cmp.Diff(nomadMeta(m), got.Client.Meta); diff != "" {
			rt.Fatalf("meta (-want +got):\n%s\n%s", diff, config)
		}
		if got.Client.NodeClass != m.Client.NodeClass {
			rt.Fatalf("node_class = %q, want %q", got.Client.NodeClass, m.Client.NodeClass)
		}
		if _, diags := hclparse.NewParser().ParseHCL([]byte(config), "nomad.hcl"); diags.HasErrors() {
			rt.Fatalf("HCL 2 can't read it: %v", diags)
		}
	})
}

// A guest that leaves or drains on shutdown comes back ineligible; one that is a server as well joins the quorum.
func TestNomadConfigHasNoTraps(t *testing.T) {
	for _, key := range []string{"drain_on_shutdown", "server {", "bootstrap_expect"} {
		if text := nomadConfig(blueprinttest.Member()); strings.Contains(text, key) {
			t.Errorf("the configuration has %s:\n%s", key, text)
		}
	}
}
