package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit/cloudinittest"
)

func zipped(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // a buffer takes all
	_ = w.Close()
	return b.String()
}

func in64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// agentFile is user data with a file in Nomad's directory. Its fields are flow values of YAML.
func agentFile(name, fields string) string {
	return fmt.Sprintf("#cloud-config\nwrite_files: [{path: /etc/nomad.d/%s, %s}]\n", name, fields)
}

// content is a file's content as it is.
func content(text string) string {
	quoted, _ := json.Marshal(text) // a string can be marshaled
	return "content: " + string(quoted)
}

// What makes another node of a guest is refused before there is a VM, however it is written.
func TestFilesOfTheAgentThatAreRefused(t *testing.T) {
	const other = "\ndata_dir = \"/opt/nomad\"\nserver {\n  enabled = true\n}\n"
	for name, test := range map[string]struct{ file, fields, want string }{
		"another data directory": {"nomad_config.hcl", content(other), "write_files[0], /etc/nomad.d/nomad_config.hcl: line 2 of its content: data_dir can't be set there: the member's ID is below it; leave it out"},
		"before ours":            {"10-site.hcl", content(other), "/etc/nomad.d/10-site.hcl: line 2"},
		"in base64":              {"z.hcl", "encoding: b64, content: " + in64(other), "data_dir"},
		"in Base64":              {"z.hcl", "encoding: ' BASE64', content: " + in64(other), "data_dir"},
		"compressed":             {"z.hcl", "encoding: gz, content: !!binary " + in64(zipped(other)), "data_dir"},
		"compressed, in base64":  {"z.hcl", "encoding: gzip+b64, content: " + in64(zipped(other)), "data_dir"},
		"binary":                 {"z.hcl", "content: !!binary " + in64(other), "data_dir"},
		"an unknown encoding":    {"z.hcl", "encoding: rot13, " + content(other), "data_dir"},
		"JSON":                   {"z.json", content(`{"client": [{"enabled": false}]}`), "client.enabled can't be set"},
		"JSON with escapes":      {"z.json", content(`{"d\u0061ta_dir": "/opt"}`), "z.json: its content: data_dir can't"},
		"HCL called JSON":        {"z.json", content("name = \"a\""), "name"},
		"in capitals":            {"z.hcl", content("Data_Dir = \"/opt\""), "data_dir"},
		"a server":               {"server.hcl", content("server {\n  enabled = true\n}"), "line 1 of its content: server can't be set there: a member is a client only"},
		"no client":              {"z.hcl", content("client {\n  enabled = false\n}"), "line 2 of its content: client.enabled can't be set there: a member is a client; leave it out"},
		"another state":          {"z.hcl", content("client { state_dir = \"/x\" }"), "client.state_dir"},
		"other allocations":      {"z.hcl", content("client = { alloc_dir = \"/x\" }"), "client.alloc_dir can't be set there: the data of jobs is in /opt/nomad/data/alloc"},
		"other servers":          {"z.hcl", content("client { servers = [\"10.0.9.9\"] }"), "client.servers can't be set there: they are spec.nomad.servers of the pool; leave it out"},
		"others to join":         {"z.hcl", content("client {\n  server_join {\n    retry_join = [\"10.0.9.9\"]\n  }\n}"), "line 3 of its content: client.server_join.retry_join can't"},
		"others to join once":    {"z.json", content(`{"client": {"server_join": {"start_join": ["10.0.9.9"]}}}`), "z.json: its content: client.server_join.start_join can't"},
		"another name":           {"z.hcl", content("\"name\" = \"x\""), "name"},
		"another region":         {"z.hcl", content("region = \"x\""), "region can't be set there: it is spec.nomad.region of the pool"},
		"another data center":    {"z.hcl", content("datacenter = \"x\""), "datacenter"},
		"another node pool":      {"z.hcl", content("client {}\nclient { node_pool = \"x\" }"), "line 2 of its content: client.node_pool"},
		"another pool's meta":    {"z.hcl", content("client { meta { harvester_pool_uid = \"x\" } }"), "client.meta.harvester_pool_uid"},
		"meta in short":          {"z.hcl", content("client \"meta\" { harvester_node = \"x\" }"), "client.meta.harvester_node"},
		"by another path":        {"../nomad.d//./z.hcl", content(other), "/etc/nomad.d/z.hcl: line 2"},
		"what isn't HCL":         {"z.hcl", content("log_level = \"x\"\nclient {"), "Nomad can't read it, and wouldn't start"},
		"a secret that isn't":    {"z.hcl", content("s3cret"), "Nomad can't read it"},
		"what isn't JSON":        {"z.json", content(`{"log_level": s3cret}`), "Nomad can't read it"},
		"an escape that isn't":   {"z.hcl", content(`"s3cret\q" = 1`), "Nomad can't read it"},
		"what isn't base64":      {"z.hcl", "encoding: b64, content: '***'", "not base64"},
		"what isn't compressed":  {"z.hcl", "encoding: gz, content: s3cret", "not compressed"},
		"what ends early":        {"z.hcl", "encoding: gz, content: !!binary " + in64(zipped(other)[:30]), "not compressed"},
		"far too long":           {"z.hcl", "encoding: gz, content: !!binary " + in64(zipped(strings.Repeat("#\n", mostBytes))), "is longer than 65536 bytes"},
		"far too deep":           {"z.hcl", content("a = " + strings.Repeat("[", mostBrackets+1)), "more than 10000 brackets"},
		"a number":               {"z.hcl", "content: 7", "content, line 2: it is not text"},
		"a number as encoding":   {"z.hcl", "encoding: 64, content: a", "encoding, line 2: it is not text"},
		"from elsewhere":         {"z.hcl", "source: {uri: 'http://a.example'}, content: ''", "its content is fetched in the guest"},
	} {
		err := CheckUserData(nil, agentFile(test.file, test.fields), nil)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v, want %q", name, err, test.want)
		}
	}
}

// What Nomad can be told beside ours stays possible.
func TestFilesOfTheAgentThatPass(t *testing.T) {
	for name, test := range map[string]struct{ file, fields string }{
		"host volumes":       {"50-site.hcl", content("client {\n  enabled = true\n  host_volume \"data\" {\n    path = \"/srv\"\n  }\n}\n")},
		"plugins":            {"docker.hcl", "encoding: b64, content: " + in64("plugin \"docker\" {\n  config {\n    allow_privileged = true\n    name = \"x\"\n  }\n}\n")},
		"telemetry":          {"z.json", content(`{"telemetry": {"publish_allocation_metrics": true}, "client": {"meta": {"rack": "7", "name": "x"}}}`)},
		"addresses":          {"60-net.hcl", content("advertise { http = \"[{{ GetInterfaceIP \\\"enp1s0\\\" }}]\" }\nclient { network_interface = \"enp1s0\" }")},
		"comments":           {"z.hcl", content("# data_dir = \"/opt\"\n/* server { } */\nlog_level = \"debug\"")},
		"nothing":            {"z.hcl", "content: "},
		"no file of Nomad's": {"nomad.env", content("data_dir = \"/opt\"")},
		"not read by Nomad":  {"jobs/server.hcl", content("data_dir = \"${x}\"\nserver {")},
	} {
		if err := CheckUserData(nil, agentFile(test.file, test.fields), nil); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// decoding decodes contents as cloud-init's own module does.
const decoding = `
import base64, json, sys
from cloudinit import util
from cloudinit.config import cc_write_files as w
out = {}
for name, text in json.load(sys.stdin).items():
    f = util.load_yaml(text)["write_files"][0]
    got = util.encode_text(w.extract_contents(f.get("content", ""), w.canonicalize_extraction(f.get("encoding"))))
    out[name] = base64.b64encode(got).decode()
json.dump(out, sys.stdout)
`

// What is looked at is what cloud-init writes.
func TestContentsAreWhatCloudInitWrites(t *testing.T) {
	t.Parallel()
	const text = "log_level = \"debug\" # ä\n"
	documents := map[string]any{}
	for encoding, content := range map[string]string{
		"": text, "text/plain": text, "rot13": text, "b64": in64(text), " Base64 ": in64(text)[:8] + "\n" + in64(text)[8:],
		"gz+b64": in64(zipped(text)), "gzip+base64": in64(zipped(text)), "gz+base64": in64(zipped(text)), "GZIP+B64": in64(zipped(text)),
	} {
		quoted, _ := json.Marshal(content) // a string can be marshaled
		documents[encoding] = agentFile("x.hcl", fmt.Sprintf("encoding: '%s', content: %s", encoding, quoted))
	}
	for _, encoding := range []string{"gz", "gzip"} {
		documents[encoding] = agentFile("x.hcl", "encoding: "+encoding+", content: !!binary "+in64(zipped(text)))
	}
	documents["binary"] = agentFile("x.hcl", "content: !!binary "+in64(text))
	var written map[string]string
	if err := json.Unmarshal(cloudinittest.Ask(t, decoding, documents), &written); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(documents)) {
		root, err := parseUserData(documents[name].(string)) //nolint:forcetypeassert // they all are
		if err != nil {
			t.Fatal(err)
		}
		got, err := contentOf(itemsOf(valueOf(root, "write_files"))[0])
		if err != nil || in64(string(got)) != written[name] {
			t.Errorf("%q: %q, %v; cloud-init writes %q", name, got, err, written[name])
		}
	}
}
