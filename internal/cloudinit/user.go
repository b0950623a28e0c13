package cloudinit

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// parseUserData reads a #cloud-config document. Other kinds of user data are refused: they can't be merged, and an edit
// in Harvester's UI would put "#cloud-config" in front of them. Empty text is an empty document.
func parseUserData(text string) (*yaml.Node, error) {
	if strings.TrimSpace(text) == "" {
		return &yaml.Node{Kind: yaml.MappingNode}, nil
	}
	// As cloud-init decides: without leading white space, in upper or lower case, whatever follows (cloud-init:
	// cloudinit/handlers, type_from_starts_with).
	header, _, _ := strings.Cut(strings.TrimLeft(text, " \t\r\n\v\f"), "\n")
	if header = strings.ToLower(strings.TrimRight(header, " \t\r")); !strings.HasPrefix(header, cloudConfigHeader) ||
		otherKind(header) != "" {
		return nil, fmt.Errorf(
			"the first line is not %s%s; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files",
			cloudConfigHeader, otherKind(header))
	}
	if err := checkLength(text); err != nil {
		return nil, err
	}
	config, err := parseYAMLMapping(text)
	if err != nil {
		return nil, err
	}
	if err := checkKeys(config); err != nil {
		return nil, err
	}
	for _, key := range []string{"merge_how", "merge_type"} {
		if valueOf(config, key) != nil {
			return nil, fmt.Errorf(
				"%s can't be chosen: lists are yours followed by the controller's, mappings are merged key by key; leave it out",
				key)
		}
	}
	return config, nil
}

// otherKind names the kind of user data with another first line. It doesn't quote the line, which may come from a
// Secret. Source: cloud-init's cloudinit/handlers, INCLUSION_TYPES_MAP.
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

// checkOwned refuses what would interfere with the files and commands that belong to the member.
func checkOwned(user *yaml.Node, install *v1alpha1.NomadInstall) error {
	return errors.Join(checkFiles(valueOf(user, "write_files"), install), checkMounts(valueOf(user, "mounts")),
		checkCommands(user, "bootcmd"), checkCommands(user, "runcmd"), checkPackages(user, install), checkCloudInitKeys(user))
}

// checkFiles refuses files that belong to the member: the user's are written later and would overwrite them. It also
// refuses what makes another node of the guest.
func checkFiles(files *yaml.Node, install *v1alpha1.NomadInstall) error {
	owned := []string{nomadClientIDFile, nomadIntroTokenFile, nomadCAFile, nomadCertFile, nomadKeyFile}
	for _, f := range installationOf(install).files {
		owned = append(owned, pathOf(yamlNode(f)))
	}
	for i, f := range itemsOf(files) { // the merge refuses what isn't a list
		if !isMapping(f) {
			return fmt.Errorf(
				"write_files[%d], line %d: it is not a mapping, and cloud-init would write none of the files; write it as one with path and content",
				i, f.Line)
		}
		// cloud-init may read it as the path of a file that belongs to the member, while we don't.
		if at := valueOf(f, "path"); at != nil && !isText(at) && !isNull(at) {
			return fmt.Errorf(
				"write_files[%d].path, line %d: it is not text; write it without a tag, and in quotes if it looks like a number or a date",
				i, at.Line)
		}
		switch name := pathOf(f); {
		case name == nomadConfigFile:
			return fmt.Errorf(
				"write_files[%d].path: %s belongs to the controller; put additions into a file of another name beside it, such as /etc/nomad.d/50-site.hcl",
				i, name)
		case slices.Contains(owned, name):
			return fmt.Errorf("write_files[%d].path: %s belongs to the controller; leave it out", i, name)
		case isRelative(textOf(valueOf(f, "path"))):
			return fmt.Errorf("write_files[%d].path, line %d: it does not begin with /; write all of it", i, f.Line)
		case isAgentFile(name):
			if err := checkAgentFile(f); err != nil {
				return fmt.Errorf("write_files[%d], %s: %w", i, name, err)
			}
		}
	}
	return nil
}

// pathOf is the path of an entry of write_files.
func pathOf(f *yaml.Node) string {
	return inRoot(textOf(valueOf(f, "path")))
}

// inRoot makes a path absolute as cloud-init does, whose working directory is /. Links in the guest's image aren't
// followed.
func inRoot(name string) string { return path.Clean("/" + name) }

func isRelative(name string) bool { return name != "" && !path.IsAbs(name) }

// checkMounts refuses file systems that would hide the member's files: cloud-init writes files before it mounts
// anything (cloud-init: config/cloud.cfg.tmpl, cloud_init_modules), and an agent that doesn't find its ID makes a new
// one.
func checkMounts(mounts *yaml.Node) error {
	for i, m := range itemsOf(mounts) {
		entry := itemsOf(m)
		if len(entry) < 2 {
			continue
		}
		name := textOf(entry[1])
		for _, hidden := range []string{nomadStateDir, nomadConfigDir} {
			if at := inRoot(name); at != "/" && (at == hidden || strings.HasPrefix(hidden, at+"/")) {
				return fmt.Errorf(
					"mounts[%d]: %s would hide %s, which is written before anything is mounted; mount a disk for the data of jobs at %s",
					i, at, hidden, nomadAllocDir)
			}
		}
	}
	return nil
}
