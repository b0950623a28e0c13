package cloudinit

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	corev1 "k8s.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

const cloudConfigHeader = "#cloud-config"

// dhcpOnAll is the networkdata of a template with several networks and without networkData. It works with netplan only,
// which Debian's and Ubuntu's images use, because nothing else takes names with wildcards. With one network no
// networkdata is better: cloud-init itself then sets up DHCP, on the interface that it finds, in every image
// (cloud-init: cloudinit/net/__init__.py, generate_fallback_config).
//
// Each network may offer a default route. That of the first network gets the least metric, because Nomad advertises
// the address of the interface with the default route (Nomad: client/fingerprint/network.go, and
// command/agent/config.go, normalizeAdvertise), and that mustn't be a storage network's. The first interface is named
// after the first slot of machine type q35, or eth0 where names aren't predictable. If it has another name, all have
// the same metric. If several entries match an interface the first by name counts.
const dhcpOnAll = `version: 2
ethernets:
  first:
    match:
      name: enp1s0
    dhcp4: true
    dhcp4-overrides:
      route-metric: 100
  first-eth:
    match:
      name: eth0
    dhcp4: true
    dhcp4-overrides:
      route-metric: 100
  others:
    match:
      name: "e*"
    dhcp4: true
    dhcp4-overrides:
      route-metric: 1000
`

// userData merges three #cloud-config documents, later ones over earlier ones: the Harvester template's, if there is
// one, the user's, and what a Nomad client needs.
func userData(m blueprint.Member, f blueprint.Facts) (string, error) {
	text, ok := f.Text(m.Template.CloudInit.UserData, m.Template.CloudInit.UserDataSecretRef)
	if !ok {
		return "", fmt.Errorf("no userData in Secret %q", m.Template.CloudInit.UserDataSecretRef.Name)
	}
	user, err := stackUserData(f.From, text)
	if err != nil {
		return "", fmt.Errorf("userData: %w", err)
	}
	merged, err := mergeCloudConfig(user, yamlNode(memberCloudConfig(m, f)))
	if err != nil {
		return "", fmt.Errorf("userData: %w", err)
	}
	if merged, err = (merger{}).mappings("", merged, yamlNode(map[string]any{"runcmd": startNomad})); err != nil {
		return "", fmt.Errorf("userData: %w", err)
	}
	doc, err := writeYAML(withoutEmptyKeys(merged))
	if err != nil {
		return "", fmt.Errorf("writing the user data: %w", err)
	}
	return asUserData(doc), nil
}

// asUserData is the document as user data.
func asUserData(doc string) string { return cloudConfigHeader + "\n" + notAnEmail(doc) }

// notAnEmail keeps the header "mime-version:" out of the first 4 KiB, where cloud-init would take the whole document
// for an e-mail (cloud-init: cloudinit/user_data.py, convert_string).
func notAnEmail(doc string) string {
	const (
		searched = 4096
		comment  = "# What follows has the header of an e-mail. cloud-init must not find it near the beginning.\n"
	)
	if !strings.Contains(strings.ToLower(doc[:min(len(doc), searched)]), "mime-version:") {
		return doc
	}
	return strings.Repeat(comment, searched/len(comment)+1) + doc
}

// withoutEmptyKeys leaves out keys without a value. cloud-init ignores them, but they don't pass its schema.
func withoutEmptyKeys(config *yaml.Node) *yaml.Node {
	out := &yaml.Node{Kind: yaml.MappingNode}
	for key, value := range entriesOf(config) {
		if !isNull(value) {
			out.Content = append(out.Content, key, value)
		}
	}
	return out
}

// stackUserData is the user's document over the Harvester template's, which may be nil.
func stackUserData(from *blueprint.TemplateCloudInit, text string) (*yaml.Node, error) {
	user, err := parseUserData(text)
	if err != nil || from == nil {
		return user, err
	}
	under, err := parseUserData(from.UserData)
	if err != nil {
		return nil, err
	}
	return merger{}.mappings("", under, user)
}

var (
	enableNomad = []any{"systemctl", "enable", "nomad.service"}

	// startNomad runs after the user's commands. These may have made nomad.service, or installed what the agent detects
	// when it starts, such as drivers. The agent may also be running already, with the image's configuration. enable makes
	// systemd reload its units.
	startNomad = []any{enableNomad, []any{"systemctl", "restart", "nomad.service"}}
)

// memberCloudConfig is what a Nomad client needs before the user's commands are run: Nomad itself if the image doesn't
// have it, its identity and configuration. nomad.service is enabled before them: if one of them reboots the guest,
// cloud-init doesn't run the rest, and the unit has to start by itself. If one of them never returns, nomad.service
// isn't started.
//
// cloud-init runs bootcmd first, then writes the files, both before the guest's network is up and with it the agent;
// then it sets up sources, installs packages, and runs runcmd last (cloud-init: config/cloud.cfg.tmpl).
func memberCloudConfig(m blueprint.Member, f blueprint.Facts) map[string]any {
	in := installationOf(m.Client.Install)
	config := map[string]any{
		"hostname": m.Name,
		// If Nomad has run on the image, all members would have the same secret ID.
		"bootcmd": []any{[]any{"cloud-init-per", "instance", "nomad-client-state", "rm", "-rf", nomadStateDir}},
	}
	maps.Copy(config, in.config)
	config["write_files"] = slices.Concat(memberFiles(m, f), in.files)

	var commands []any
	if m.Template.CloudInit.GuestAgent {
		// In this very form, which Harvester's UI recognises (Harvester UI: mixins/harvester-vm, mergeQGA).
		packages, _ := config["packages"].([]any)
		config["package_update"] = true
		config["packages"] = append(packages, "qemu-guest-agent")
		commands = append(commands, []any{"systemctl", "enable", "--now", "qemu-guest-agent.service"})
	}
	config["runcmd"] = slices.Concat(commands, in.commands, []any{enableNomad})

	// An empty list doesn't pass cloud-init's schema.
	if keys := publicKeys(m, f); len(keys) > 0 {
		config["ssh_authorized_keys"] = keys
	}
	return config
}

// memberFiles are the member's identity and configuration.
func memberFiles(m blueprint.Member, f blueprint.Facts) []any {
	files := []any{file(nomadClientIDFile, "0600", m.NodeID)}
	if m.IntroductionToken != "" {
		files = append(files, file(nomadIntroTokenFile, "0600", m.IntroductionToken))
	}
	if ref := m.Client.ClientTLSSecretRef; ref != nil {
		values := f.Secrets[ref.Name]
		files = append(files,
			file(nomadCAFile, "0644", values[blueprint.CAKey]),
			file(nomadCertFile, "0644", values[corev1.TLSCertKey]),
			file(nomadKeyFile, "0600", values[corev1.TLSPrivateKeyKey]),
		)
	}
	return append(files, file(nomadConfigFile, "0640", nomadConfig(m)))
}

func file(path, permissions, content string) map[string]any {
	return map[string]any{"path": path, "permissions": permissions, "content": content}
}

func publicKeys(m blueprint.Member, f blueprint.Facts) []any {
	var keys []any
	for _, ref := range m.Template.SSHKeys {
		if key := strings.TrimSpace(f.KeyPairs[ref].PublicKey); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// mergeCloudConfig lays what the member needs over the user's document: lists are concatenated, mappings are merged key
// by key, and of other values the member's wins. A value of the user's that isn't a list or a mapping where the
// member's is one is an error. The member's files and commands come first, and the user's commands of runcmd run in a
// separate shell (commands.go), so that the member gets its identity and its Nomad whatever goes wrong with the user's.
func mergeCloudConfig(user, member *yaml.Node) (*yaml.Node, error) {
	return merger{refuses: true}.mappings("", user, member)
}

// merger lays one document over another.
type merger struct {
	// refuses is set when the upper document is the member's. Then it is an error if the lower document has no list or
	// mapping where the upper one has; otherwise the upper value replaces it.
	refuses bool
}

func (m merger) mappings(field string, under, over *yaml.Node) (*yaml.Node, error) {
	merged := &yaml.Node{Kind: yaml.MappingNode, Content: slices.Clone(under.Content)}
	places := placesOf(merged.Content)
	var added []*yaml.Node
	for key, value := range entriesOf(over) {
		at, known := places[nameOfKey(key)]
		if !known {
			added = append(added, key, value)
			continue
		}
		both, err := m.values(field+key.Value, merged.Content[at+1], value)
		if err != nil {
			return nil, err
		}
		merged.Content[at+1] = both
	}
	if m.refuses && slices.Contains(controllersFirst, strings.TrimSuffix(field, ".")) {
		merged.Content = append(added, merged.Content...)
	} else {
		merged.Content = append(merged.Content, added...)
	}
	return merged, nil
}

func (m merger) values(field string, under, over *yaml.Node) (*yaml.Node, error) {
	switch {
	case isNull(under):
		return over, nil
	case isList(over) && isList(under):
		return &yaml.Node{Kind: yaml.SequenceNode, Content: m.items(field, under.Content, over.Content)}, nil
	case isMapping(over) && isMapping(under):
		return m.mappings(field+".", under, over)
	case isList(over) && m.refuses:
		return nil, fmt.Errorf(
			"%s, line %d: it is not a list; write it as one, to which the controller can add its own items", field, under.Line)
	case isMapping(over) && m.refuses:
		return nil, fmt.Errorf(
			"%s, line %d: it is not a mapping; write it as one, to which the controller can add its own keys", field, under.Line)
	default:
		return over, nil
	}
}

// items concatenates two lists. If the upper one is the member's, its files and commands come first, and the user's
// commands run in a separate shell.
func (m merger) items(field string, under, over []*yaml.Node) []*yaml.Node {
	switch {
	case m.refuses && slices.Contains(controllersFirst, field):
		return slices.Concat(over, under)
	case m.refuses && field == "runcmd":
		return slices.Concat(over, inSeparateShell(under))
	default:
		return slices.Concat(under, over)
	}
}
