package cloudinit

import (
	"errors"
	"fmt"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// legacyAptKeys are the keys that apt had in older versions of cloud-init. Beside apt it ignores them, or fails if both
// differ (cloud-init: cloudinit/config/cc_apt_configure.py, convert_v2_to_v3_apt_format).
var legacyAptKeys = []string{
	"apt_sources", "apt_mirror", "apt_mirror_search", "apt_mirror_search_dns",
	"apt_proxy", "apt_http_proxy", "apt_ftp_proxy", "apt_https_proxy",
	"apt_preserve_sources_list", "apt_custom_sources_list", "add_apt_repo_match",
}

// checkPackages refuses what would keep cloud-init from installing any package, if Nomad is one of them.
func checkPackages(user *yaml.Node, install *v1alpha1.NomadInstall) error {
	if install == nil || install.Apt == nil {
		return nil
	}
	for _, key := range legacyAptKeys {
		if n := valueOf(user, key); n != nil && !isNull(n) {
			return fmt.Errorf(
				"%s, line %d: it does nothing beside apt, under which the controller adds Nomad's source; write it under apt", key,
				n.Line)
		}
	}
	for i, p := range itemsOf(valueOf(user, "packages")) { // the merge refuses what isn't a list
		if !isPackage(p) {
			return fmt.Errorf(
				"packages[%d], line %d: it is neither a name nor a list of name and version, and cloud-init would install none of the packages; correct it, or take it out",
				i, p.Line)
		}
	}
	apt := valueOf(user, "apt")
	return errors.Join(checkMirrors(apt), checkSources(valueOf(apt, "sources")))
}

// isPackage reports if some version of cloud-init takes this for a package. Newer versions also take names below that
// of a package manager.
func isPackage(p *yaml.Node) bool {
	if items := itemsOf(p); isList(p) {
		return (len(items) == 1 || len(items) == 2) && isText(items[0])
	}
	return isText(p) || itemsOf(valueOf(p, "apt")) != nil || itemsOf(valueOf(p, "snap")) != nil
}

func checkMirrors(apt *yaml.Node) error {
	for _, key := range []string{"primary", "security"} {
		mirrors := valueOf(apt, key)
		if mirrors == nil || isNull(mirrors) {
			continue
		}
		if !isList(mirrors) || slices.ContainsFunc(mirrors.Content, func(m *yaml.Node) bool { return !isMapping(m) }) {
			return fmt.Errorf(
				"apt.%s, line %d: it is not a list of mappings, and cloud-init would set up no source; write it as one", key,
				mirrors.Line)
		}
	}
	return nil
}

// checkSources refuses sources that would keep cloud-init from setting up those after them, and those that would
// overwrite the controller's.
func checkSources(sources *yaml.Node) error {
	for name, s := range entriesOf(sources) { // the merge refuses what is no mapping
		source, file := valueOf(s, "source"), valueOf(s, "filename")
		switch {
		case !isMapping(s), source != nil && !isText(source), file != nil && !isText(file):
			return fmt.Errorf(
				"apt.sources, line %d: it is not a mapping with source as text, and cloud-init would set up no source after it; correct it, or take it out",
				name.Line)
		case isControllersList(name.Value), isControllersList(textOf(file)):
			return fmt.Errorf("apt.sources, line %d: %s belongs to the controller; give the source another name", name.Line,
				aptSourceName)
		}
	}
	return nil
}

// isControllersList reports if cloud-init writes the source of this name into the file of the controller's.
func isControllersList(name string) bool {
	if path.Ext(name) != ".list" {
		name += ".list"
	}
	if !path.IsAbs(name) {
		name = path.Join(aptSourceDir, name)
	}
	return path.Clean(name) == path.Join(aptSourceDir, aptSourceName)
}
