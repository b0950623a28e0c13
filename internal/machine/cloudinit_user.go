package machine

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// parseUserData reads a #cloud-config document. Other kinds of user data are refused: they can't be merged, and an edit
// in Harvester's UI would put "#cloud-config" in front of them. Empty text is an empty document.
func parseUserData(text string) (map[string]any, error) {
	if strings.TrimSpace(text) == "" {
		return map[string]any{}, nil
	}
	header, _, _ := strings.Cut(text, "\n")
	if header = strings.TrimRight(header, " \t\r"); header != cloudConfigHeader {
		return nil, fmt.Errorf("the first line is not %s%s; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files",
			cloudConfigHeader, otherKind(header))
	}
	config, err := parseYAMLMapping(text)
	if err != nil {
		return nil, err
	}
	for _, key := range []string{"merge_how", "merge_type"} {
		if _, ok := config[key]; ok {
			return nil, fmt.Errorf("%s can't be chosen: lists are yours followed by the controller's, mappings are merged key by key; leave it out", key)
		}
	}
	return config, nil
}

// otherKind says what user data with another first line is. The line itself isn't told, as it may be out of a Secret.
// Source: cloud-init's cloudinit/handlers, INCLUSION_TYPES_MAP.
func otherKind(header string) string {
	kinds := []struct{ prefix, name string }{
		{"#!", "a script"},
		{"## template:", "a template"},
		{"#include", "a list of URLs"},
		{"#cloud-config-archive", "an archive"},
		{"#cloud-config-jsonp", "a JSON patch"},
		{"#cloud-boothook", "a boot hook"},
		{"#part-handler", "a part handler"},
		{"content-type:", "a multi-part document"},
		{"mime-version:", "a multi-part document"},
		{"\x1f\x8b", "compressed"},
	}
	for _, k := range kinds {
		if strings.HasPrefix(strings.ToLower(header), k.prefix) {
			return ", it is " + k.name
		}
	}
	return ""
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

// checkOwned refuses what would get in the way of the member's own files.
func checkOwned(user map[string]any, install *v1alpha1.NomadInstall) error {
	return errors.Join(checkFiles(user["write_files"], install), checkMounts(user["mounts"]))
}

// checkFiles refuses files that are the member's own. Ours come later in the list and would win, unless the user's is
// deferred; either way it can't be what was meant.
func checkFiles(files any, install *v1alpha1.NomadInstall) error {
	owned := []string{nomadClientIDFile, nomadIntroTokenFile, nomadCAFile, nomadCertFile, nomadKeyFile}
	for _, f := range installationOf(install).files {
		owned = append(owned, pathOf(f))
	}
	list, _ := files.([]any) // Another kind is refused by the merge.
	for i, f := range list {
		switch name := pathOf(f); {
		case name == nomadConfigFile:
			return fmt.Errorf("write_files[%d].path: %s belongs to the controller; put additions into a file of another name beside it, such as /etc/nomad.d/50-site.hcl", i, name)
		case slices.Contains(owned, name):
			return fmt.Errorf("write_files[%d].path: %s belongs to the controller; leave it out", i, name)
		}
	}
	return nil
}

// pathOf is the path of an entry of write_files.
func pathOf(f any) string {
	entry, _ := f.(map[string]any)
	name, _ := entry["path"].(string)
	return path.Clean(name)
}

// checkMounts refuses file systems that would hide the member's files: cloud-init writes files before it mounts anything
// (cloud-init: config/cloud.cfg.tmpl, cloud_init_modules), and an agent that doesn't find its ID makes one up.
func checkMounts(mounts any) error {
	list, _ := mounts.([]any)
	for i, m := range list {
		entry, _ := m.([]any)
		if len(entry) < 2 {
			continue
		}
		name, _ := entry[1].(string)
		for _, hidden := range []string{nomadStateDir, nomadConfigDir} {
			if at := path.Clean(name); at != "/" && (at == hidden || strings.HasPrefix(hidden, at+"/")) {
				return fmt.Errorf("mounts[%d]: %s would hide %s, which is written before anything is mounted; mount a disk for the data of jobs at %s", i, name, hidden, nomadAllocDir)
			}
		}
	}
	return nil
}
