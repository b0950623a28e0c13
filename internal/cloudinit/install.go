package cloudinit

import (
	_ "embed" // for the guest's files
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const (
	aptKeyFile = "/etc/apt/keyrings/nomad-harvester.asc"
	// aptSourceName is the name of the source's file in aptSourceDir.
	aptSourceName = "nomad-harvester.list"
	aptSourceDir  = "/etc/apt/sources.list.d"

	nomadPackageFile = "/usr/local/sbin/install-nomad-package"

	nomadInstallFile = "/usr/local/sbin/install-nomad"
	nomadUnitFile    = "/etc/systemd/system/nomad.service"
)

// nomadInstallScript is run before each start of the agent. It is in Python because cloud-init is. Other tools to fetch
// and unpack a file differ from image to image.
//
//go:embed guestfiles/install-nomad
var nomadInstallScript string

// nomadPackageScript is run after cloud-init has tried to install the packages.
//
//go:embed guestfiles/install-nomad-package
var nomadPackageScript string

// nomadUnit is the unit of Nomad's packages (Nomad: .release/linux/package/usr/lib/systemd/system/nomad.service), with
// the installation before the start. It has no Type=notify, which older agents don't know.
//
//go:embed guestfiles/nomad.service
var nomadUnit string

// installation is what the cloud-config of a member has in addition if its image doesn't have Nomad.
type installation struct {
	// config are keys of the cloud-config.
	config map[string]any
	// files are entries of write_files.
	files []any
	// commands are run before nomad.service is enabled.
	commands []any
}

// installationOf is how Nomad gets into the guest. nil: the image has it.
func installationOf(i *v1alpha1.NomadInstall) installation {
	switch {
	case i == nil:
		return installation{}
	case i.Apt != nil:
		return aptInstallation(*i.Apt)
	case i.Download != nil:
		return downloadInstallation(*i.Download)
	default:
		return installation{}
	}
}

// aptInstallation lets cloud-init install the package together with the user's, which may depend on each other. A
// script then installs it if cloud-init failed over one of the user's. The configuration is written before the package
// is installed, and stays: cloud-init has dpkg keep configuration files (cloud-init: cloudinit/distros/debian.py,
// force-confold).
func aptInstallation(a v1alpha1.AptInstall) installation {
	source := a.Source
	in := installation{}
	if a.Key != "" {
		// apt reads the key as it is. cloud-init's own way, key and $KEY_FILE, needs gpg in the image.
		in.files = []any{file(aptKeyFile, "0644", a.Key)}
		source = signedBy(source, aptKeyFile)
	}
	var nomad any = "nomad"
	word := "nomad"
	if a.Version != "" {
		nomad = []any{"nomad", a.Version}
		word += "=" + a.Version
	}
	script := strings.NewReplacer("@LIST@", aptSourceName, "@SOURCE@", shellWord(source), "@PACKAGE@", shellWord(word)).
		Replace(nomadPackageScript)
	in.files = append(in.files, file(nomadPackageFile, "0755", script))
	in.commands = []any{[]any{nomadPackageFile}}
	in.config = map[string]any{
		// append: false, so that a second run of cloud-init doesn't write the line twice.
		"apt": map[string]any{"sources": map[string]any{
			aptSourceName: map[string]any{"source": source, "append": false},
		}},
		"package_update": true,
		"packages":       []any{nomad},
	}
	return in
}

// sourceLine are the options of a line of a sources.list, and what follows them.
var sourceLine = regexp.MustCompile(`^deb (?:\[ *(.*?) *\] )?(.*)$`)

func signedBy(source, key string) string {
	m := sourceLine.FindStringSubmatch(source)
	if m == nil {
		return source // the API refuses such a source
	}
	return fmt.Sprintf("deb [%s] %s", strings.TrimSpace(m[1]+" signed-by="+key), m[2])
}

// downloadInstallation lets the unit itself install Nomad, so that the download is repeated until it works, and no
// agent starts before.
func downloadInstallation(d v1alpha1.DownloadInstall) installation {
	script := strings.NewReplacer("@URL@", pythonString(d.URL), "@SHA256@", pythonString(strings.ToLower(d.SHA256))).
		Replace(nomadInstallScript)
	return installation{
		files: []any{
			file(nomadInstallFile, "0755", script),
			file(nomadUnitFile, "0644", nomadUnit),
		},
		commands: []any{[]any{"systemctl", "daemon-reload"}},
	}
}

// shellWord is a word of a shell's command.
func shellWord(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// pythonString is a string literal. JSON's are Python's as well.
func pythonString(s string) string {
	literal, _ := json.Marshal(s) // A string can't fail to marshal.
	return string(literal)
}
