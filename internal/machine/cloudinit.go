package machine

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"
)

const cloudConfigHeader = "#cloud-config"

// dhcpOnAll is the networkdata of a template that sets none.
const dhcpOnAll = `version: 2
ethernets:
  nics:
    match:
      name: "e*"
    dhcp4: true
`

// userData is the Harvester template's #cloud-config, if there is one, under the user's, under what a Nomad client needs.
func userData(m Member, f Facts) (string, error) {
	text, ok := f.text(m.Template.CloudInit.UserData, m.Template.CloudInit.UserDataSecretRef)
	if !ok {
		return "", fmt.Errorf("no userData in Secret %q", m.Template.CloudInit.UserDataSecretRef.Name)
	}
	user, err := stackUserData(f.From, text)
	if err != nil {
		return "", fmt.Errorf("userData: %w", err)
	}
	merged, err := mergeCloudConfig(user, memberCloudConfig(m, f))
	if err != nil {
		return "", fmt.Errorf("userData: %w", err)
	}
	// yaml.Marshal sorts the keys; cloud-init runs its modules in an order of its own.
	doc, err := yaml.Marshal(merged)
	if err != nil {
		return "", fmt.Errorf("marshalling the user data: %w", err)
	}
	return cloudConfigHeader + "\n" + string(doc), nil
}

// stackUserData is the user's document over the Harvester template's, which may be nil.
func stackUserData(from *TemplateCloudInit, text string) (map[string]any, error) {
	user, err := parseUserData(text)
	if err != nil || from == nil {
		return user, err
	}
	under, err := parseUserData(from.UserData)
	if err != nil {
		return nil, err
	}
	return mergeCloudConfig(under, user)
}

// memberCloudConfig is what a Nomad client needs: its identity and configuration, then the agent started anew, for it may
// have started with the image's own configuration.
func memberCloudConfig(m Member, f Facts) map[string]any {
	config := map[string]any{"hostname": m.Name}
	files := []any{file(nomadClientIDFile, "0600", m.NodeID)}
	if m.IntroductionToken != "" {
		files = append(files, file(nomadIntroTokenFile, "0600", m.IntroductionToken))
	}
	config["write_files"] = append(files, file(nomadConfigFile, "0640", nomadConfig(m)))

	var commands []any
	if m.Template.CloudInit.GuestAgent {
		// In this very form, which Harvester's UI recognises (Harvester UI: mixins/harvester-vm, mergeQGA).
		config["package_update"] = true
		config["packages"] = []any{"qemu-guest-agent"}
		commands = append(commands, []any{"systemctl", "enable", "--now", "qemu-guest-agent.service"})
	}
	config["runcmd"] = append(commands,
		[]any{"systemctl", "enable", "nomad.service"},
		[]any{"systemctl", "restart", "nomad.service"},
	)

	// An empty list doesn't pass cloud-init's schema.
	if keys := publicKeys(m, f); len(keys) > 0 {
		config["ssh_authorized_keys"] = keys
	}
	return config
}

func file(path, permissions, content string) map[string]any {
	return map[string]any{"path": path, "permissions": permissions, "content": content}
}

func publicKeys(m Member, f Facts) []any {
	var keys []any
	for _, ref := range m.Template.SSHKeys {
		if key := strings.TrimSpace(f.KeyPairs[ref].PublicKey); key != "" {
			keys = append(keys, key)
		}
	}
	return keys
}

// parseUserData reads a #cloud-config document. Other kinds of user data are refused: they can't be merged, and an edit
// in Harvester's UI would put "#cloud-config" in front of them. Empty text is an empty document.
func parseUserData(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return map[string]any{}, nil
	}
	header, _, _ := strings.Cut(text, "\n")
	if strings.TrimRight(header, " \t\r") != cloudConfigHeader {
		return nil, fmt.Errorf("the first line is not %s; scripts and multi-part documents are not supported, put commands under runcmd", cloudConfigHeader)
	}
	config, err := parseYAMLMapping(text)
	if err != nil {
		return nil, err
	}
	return config, checkFiles(config["write_files"])
}

// parseYAMLMapping reads a YAML document that is a mapping, or is empty.
func parseYAMLMapping(text string) (map[string]any, error) {
	if severalDocuments(text) {
		return nil, errors.New("it holds more than one YAML document; cloud-init reads only one")
	}
	doc, err := yaml.YAMLToJSONStrict([]byte(text))
	if err != nil {
		return nil, fmt.Errorf("not valid YAML: %w", err)
	}
	if string(doc) == "null" {
		return map[string]any{}, nil
	}
	config, err := decodeObject(doc)
	if err != nil {
		return nil, errors.New("it is not a mapping of keys to values")
	}
	return config, nil
}

// severalDocuments says if a document separator follows some content. In YAML nothing else can begin a line with it.
func severalDocuments(text string) bool {
	content := false
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\r\n")
		separator := line == "---" || strings.HasPrefix(line, "--- ")
		if separator && content {
			return true
		}
		content = content || separator || line != "" && !strings.HasPrefix(line, "#")
	}
	return false
}

// checkFiles refuses files that are the member's own. Ours come later in the list and would win, unless the user's is
// deferred; either way it can't be what was meant.
func checkFiles(files any) error {
	list, _ := files.([]any) // Another kind is refused by the merge.
	for i, f := range list {
		entry, _ := f.(map[string]any)
		name, _ := entry["path"].(string)
		switch name = path.Clean(name); name {
		case nomadConfigFile:
			return fmt.Errorf("write_files[%d].path: %s belongs to the controller; put additions into a file of another name beside it, such as /etc/nomad.d/50-site.hcl", i, name)
		case nomadClientIDFile, nomadIntroTokenFile:
			return fmt.Errorf("write_files[%d].path: %s belongs to the controller; leave it out", i, name)
		}
	}
	return nil
}

// mergeCloudConfig lays what the member needs over the user's document: lists are the user's items followed by ours, so
// that ours are written and run last, and of other values ours wins.
func mergeCloudConfig(user, ours map[string]any) (map[string]any, error) {
	merged := maps.Clone(user)
	for _, key := range slices.Sorted(maps.Keys(ours)) {
		value := ours[key]
		added, isList := value.([]any)
		if !isList || user[key] == nil {
			merged[key] = value
			continue
		}
		list, ok := user[key].([]any)
		if !ok {
			return nil, fmt.Errorf("%s is not a list; write it as one, to which the controller can add its own items", key)
		}
		merged[key] = slices.Concat(list, added)
	}
	return merged, nil
}
