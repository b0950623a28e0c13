package e2e

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

const (
	aptSource = "deb https://apt.lan.example/hashicorp $RELEASE main"
	aptKey    = "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nmQINBGO9u+MB\n-----END PGP PUBLIC KEY BLOCK-----\n"
	fileURL   = "https://files.lan.example/nomad_1.11.3_linux_amd64.zip"
)

var fileSum = strings.Repeat("0a", 32)

func installs(i v1alpha1.NomadInstall) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Install = &i }
}

// Members join however Nomad gets into their guests. The environment's guests have it, and take configuration and unit
// from cloud-init; that what is downloaded gets there is tested in internal/cloudinit.
func TestMembersOfEveryImageKindJoin(t *testing.T) {
	t.Parallel()
	pools := map[string]v1alpha1.NomadInstall{
		"by-apt":      {Apt: &v1alpha1.AptInstall{Source: aptSource, Key: aptKey, Version: "1.11.*"}},
		"by-download": {Download: &v1alpha1.DownloadInstall{URL: fileURL, SHA256: fileSum}},
	}
	for name, install := range pools {
		create(t, newPool(name, 1, installs(install), func(p *v1alpha1.NomadNodePool) {
			p.Spec.Nomad.Reserved = &v1alpha1.NomadReserved{CPU: 100, Memory: resource.MustParse("64Mi")}
		}))
	}
	for name := range pools {
		eventually(t, name, "the member to join", 2*time.Minute, allReady(1))
	}
}

// What can't work is refused by the API server, with the field, the value and the remedy.
func TestBadInstallationsAreRefused(t *testing.T) {
	t.Parallel()
	apt := func(source, key, version string) v1alpha1.NomadInstall {
		return v1alpha1.NomadInstall{Apt: &v1alpha1.AptInstall{Source: source, Key: key, Version: version}}
	}
	download := func(url, sum string) v1alpha1.NomadInstall {
		return v1alpha1.NomadInstall{Download: &v1alpha1.DownloadInstall{URL: url, SHA256: sum}}
	}
	const oneOf = "install: set apt or download, one of them; leave install out if the image has Nomad"
	bad := map[string]struct {
		install v1alpha1.NomadInstall
		reports string
	}{
		"none": {v1alpha1.NomadInstall{}, oneOf},
		"both": {v1alpha1.NomadInstall{Apt: apt(aptSource, "", "").Apt, Download: download(fileURL, fileSum).Download},
			oneOf},
		"no source line": {
			apt("https://apt.lan.example stable main", "", ""),
			`source: "https://apt.lan.example stable main" is not a line of a sources.list with an http or https address; use "deb https://HOST/PATH $RELEASE main"`,
		},
		"no suite": {apt("deb https://apt.lan.example", "", ""), "is not a line of a sources.list"},
		"two lines": {
			apt(aptSource+"\ndeb https://other.example x", "", ""),
			"source: it is more than one line; use one line of a sources.list, and its key in key",
		},
		"unknown variable": {apt("deb https://apt.lan.example $CODENAME main", "", ""), "is not a line of a sources.list"},
		"signed twice": {
			apt("deb [signed-by=/k.gpg] https://apt.lan.example x", aptKey, ""),
			"source: signed-by is set by the controller when key is set; leave one of them out",
		},
		"no key": {apt(aptSource, "0xA621E701", ""),
			"key: it is not an ASCII-armored public key; paste all of it, from -----BEGIN PGP PUBLIC KEY BLOCK----- on (gpg --armor --export)"},
		"no version": {
			apt(aptSource, "", "latest"),
			`version: "latest" is not a version of a Debian package; use one such as 1.11.3-1 or 1.11.*`,
		},
		"no file": {
			download("https://files.lan.example/", fileSum),
			`url: "https://files.lan.example/" is not the address of a file; use https://HOST/PATH/nomad_VERSION_linux_amd64.zip, without user name and password`,
		},
		"with a password": {
			download("https://me:secret@files.lan.example/nomad", fileSum),
			"without user name and password",
		},
		"another protocol": {download("ftp://files.lan.example/nomad", fileSum), "is not the address of a file"},
		"a short checksum": {
			download(fileURL, "5d2f"),
			`sha256: "5d2f" is not a SHA-256 checksum; use the 64 hexadecimal digits that sha256sum prints`,
		},
		"a longer checksum": {download(fileURL, fileSum+"00"), "is not a SHA-256 checksum"},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			refused(t, w.Client.Create(t.Context(), newPool("bad-install", 1, installs(tt.install)), client.DryRunAll),
				tt.reports)
		})
	}
	good := map[string]v1alpha1.NomadInstall{
		"with options": apt("deb [arch=amd64 lang=none] http://10.0.0.5:8080/hashicorp $RELEASE-updates main contrib", aptKey,
			"1.11.3-1"),
		"signed": apt("deb [signed-by=/usr/share/keyrings/k.gpg] https://apt.lan.example ./", "", ""),
		"plain":  download("http://[fd00::1]:8080/nomad?version=1.11.3", strings.ToUpper(fileSum)),
	}
	for name, install := range good {
		t.Run(name, func(t *testing.T) {
			if err := w.Client.Create(t.Context(), newPool("good-install", 1, installs(install)), client.DryRunAll); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("nothing reserved", func(t *testing.T) {
		p := newPool("bad-reserve", 1, func(p *v1alpha1.NomadNodePool) { p.Spec.Nomad.Reserved = &v1alpha1.NomadReserved{} })
		refused(t, w.Client.Create(t.Context(), p, client.DryRunAll),
			"reserved: it is empty; set cpu, memory or disk, or leave it out")
	})
}
