package cloudinit

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// The paths of the packaged installation (Nomad: .release/linux/package).
const (
	nomadConfigDir  = "/etc/nomad.d"
	nomadConfigFile = nomadConfigDir + "/nomad.hcl"
	nomadCAFile     = nomadConfigDir + "/tls/ca.crt"
	nomadCertFile   = nomadConfigDir + "/tls/tls.crt"
	nomadKeyFile    = nomadConfigDir + "/tls/tls.key"

	nomadDataDir  = "/opt/nomad/data"
	nomadStateDir = nomadDataDir + "/client"
	nomadAllocDir = nomadDataDir + "/alloc"
	// nomadClientIDFile holds the client's node ID. Without it the client would make one (Nomad: client/client.go,
	// nodeID). It may not end in a newline.
	nomadClientIDFile = nomadStateDir + "/client-id"
	// nomadIntroTokenFile is read when the client registers for the first time (Nomad: command/agent/agent.go).
	nomadIntroTokenFile = nomadStateDir + "/intro_token.jwt"
)

// nomadConfig is the configuration of the guest's Nomad agent. It is complete, because it takes the place of the
// packaged nomad.hcl, which would make every guest a server as well.
//
// Nothing in it lets the agent leave or drain when it stops: a guest that reboots would come back ineligible. Members
// are drained by the controller.
func nomadConfig(m blueprint.Member) string {
	f := hclwrite.NewEmptyFile()
	body := f.Body()
	body.SetAttributeRaw("name", quoted(m.Name))
	if m.Region != "" {
		body.SetAttributeRaw("region", quoted(m.Region))
	}
	body.SetAttributeRaw("datacenter", quoted(cmp.Or(m.Client.Datacenter, blueprint.DefaultDatacenter)))
	body.SetAttributeRaw("data_dir", quoted(nomadDataDir))
	body.SetAttributeRaw("bind_addr", quoted("0.0.0.0"))
	body.SetAttributeValue("disable_update_check", cty.True)
	body.SetAttributeValue("leave_on_interrupt", cty.False)
	body.SetAttributeValue("leave_on_terminate", cty.False)
	body.AppendNewline()
	writeClient(body.AppendNewBlock("client", nil).Body(), m)
	if m.Client.ClientTLSSecretRef != nil {
		body.AppendNewline()
		writeTLS(body.AppendNewBlock("tls", nil).Body())
	}
	if m.ACL {
		body.AppendNewline()
		body.AppendNewBlock("acl", nil).Body().SetAttributeValue("enabled", cty.True)
	}
	return string(f.Bytes())
}

func writeClient(client *hclwrite.Body, m blueprint.Member) {
	client.SetAttributeValue("enabled", cty.True)
	client.SetAttributeRaw("node_pool", quoted(cmp.Or(m.Client.NodePool, blueprint.DefaultNodePool)))
	client.SetAttributeRaw("node_class", quoted(cmp.Or(m.Client.NodeClass, m.PoolName)))
	client.SetAttributeRaw("meta", quotedMap(nomadMeta(m)))
	// These fingerprinters each wait seconds for a cloud's metadata service that isn't there.
	client.SetAttributeRaw("options", quotedMap(map[string]string{
		"fingerprint.denylist": "env_aws,env_azure,env_digitalocean,env_gce",
	}))
	if r := m.Client.Reserved; r != nil {
		client.AppendNewline()
		writeReserved(client.AppendNewBlock("reserved", nil).Body(), *r)
	}
	client.AppendNewline()
	join := client.AppendNewBlock("server_join", nil).Body()
	join.SetAttributeRaw("retry_join", quotedList(m.Client.Servers))
	join.SetAttributeRaw("retry_interval", quoted("15s"))
}

func writeReserved(reserved *hclwrite.Body, r v1alpha1.NomadReserved) {
	if r.CPU > 0 {
		reserved.SetAttributeValue("cpu", cty.NumberIntVal(int64(r.CPU)))
	}
	if mb := blueprint.Megabytes(r.Memory); mb > 0 {
		reserved.SetAttributeValue("memory", cty.NumberIntVal(mb))
	}
	if mb := blueprint.Megabytes(r.Disk); mb > 0 {
		reserved.SetAttributeValue("disk", cty.NumberIntVal(mb))
	}
}

// writeTLS makes the client verify the name in the servers' certificate, so that nobody else with a certificate of the
// same authority can pose as a server.
func writeTLS(tls *hclwrite.Body) {
	tls.SetAttributeValue("http", cty.True)
	tls.SetAttributeValue("rpc", cty.True)
	tls.SetAttributeRaw("ca_file", quoted(nomadCAFile))
	tls.SetAttributeRaw("cert_file", quoted(nomadCertFile))
	tls.SetAttributeRaw("key_file", quoted(nomadKeyFile))
	tls.SetAttributeValue("verify_server_hostname", cty.True)
}

// nomadMeta is the client's meta: the user's, and the keys that identify the member.
func nomadMeta(m blueprint.Member) map[string]string {
	meta := map[string]string{}
	maps.Copy(meta, m.Client.Meta)
	meta[v1alpha1.MetaPoolUID] = m.PoolUID
	meta[v1alpha1.MetaPool] = m.Namespace + "/" + m.PoolName
	meta[v1alpha1.MetaNode] = m.Name
	return meta
}

// quoted is a string literal. hclwrite's own literals are for HCL 2, which writes "${" as "$${"; Nomad reads its
// configuration with HCL 1, which has no such escape and would take a "${" that isn't closed for a syntax error. An
// escaped code point is the same string to both.
func quoted(s string) hclwrite.Tokens {
	return hclwrite.Tokens{
		{Type: hclsyntax.TokenOQuote, Bytes: []byte{'"'}},
		{Type: hclsyntax.TokenQuotedLit, Bytes: []byte(escaped(s))},
		{Type: hclsyntax.TokenCQuote, Bytes: []byte{'"'}},
	}
}

func escaped(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r == '\n':
			b.WriteString(`\n`)
		case r == '$' || r == '%' || !unicode.IsPrint(r) && r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		case !unicode.IsPrint(r):
			fmt.Fprintf(&b, `\U%08x`, r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

func quotedList(items []string) hclwrite.Tokens {
	elems := make([]hclwrite.Tokens, 0, len(items))
	for _, s := range items {
		elems = append(elems, quoted(s))
	}
	return hclwrite.TokensForTuple(elems)
}

func quotedMap(items map[string]string) hclwrite.Tokens {
	attrs := make([]hclwrite.ObjectAttrTokens, 0, len(items))
	for _, k := range slices.Sorted(maps.Keys(items)) {
		attrs = append(attrs, hclwrite.ObjectAttrTokens{Name: quoted(k), Value: quoted(items[k])})
	}
	return hclwrite.TokensForObject(attrs)
}
