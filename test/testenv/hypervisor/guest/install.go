package guest

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/cloudinit"
)

const (
	unitFile     = "/etc/systemd/system/nomad.service"
	enabledLink  = "/etc/systemd/system/multi-user.target.wants/nomad.service"
	hostnameFile = "/etc/hostname"
	instanceFile = "/var/lib/cloud/data/instance-id"
	configDir    = "/etc/nomad.d"
)

// packagedConfig does what the configuration of HashiCorp's own packages does: it makes a server as well as
// a client. Whoever merely adds a file to /etc/nomad.d gets a cluster of one in every VM.
const packagedConfig = `data_dir  = "/opt/nomad/data"
bind_addr = "0.0.0.0"
server {
  enabled          = true
  bootstrap_expect = 1
}
client {
  enabled = true
  servers = ["127.0.0.1"]
}
`

// install makes the guest's root ready for this boot and tells whether nomad.service starts in it. The image
// is one with the nomad package installed and its unit disabled.
func install(m Machine) (bool, error) {
	root := m.root()
	if _, err := os.Stat(root); err != nil {
		if err := write(root, configDir+"/nomad.hcl", packagedConfig); err != nil {
			return false, err
		}
		if err := write(root, hostnameFile, m.Name); err != nil {
			return false, err
		}
	}
	seen, err := os.ReadFile(cloudinit.Inside(root, instanceFile))
	if err == nil && string(seen) == m.instanceID() {
		_, err := os.Stat(cloudinit.Inside(root, enabledLink))
		return err == nil, nil
	}
	return firstBoot(m)
}

// firstBoot does the once-per-instance work of cloud-init.
func firstBoot(m Machine) (bool, error) {
	root := m.root()
	if err := write(root, instanceFile, m.instanceID()); err != nil {
		return false, err
	}
	config, err := cloudinit.Parse(m.UserData)
	if err != nil {
		return false, fmt.Errorf("%w: %w", ErrNoClient, err)
	}
	if config.Hostname != "" {
		if err := write(root, hostnameFile, config.Hostname); err != nil {
			return false, err
		}
	}
	if err := config.WriteFiles(root); err != nil {
		// cloud-init reports a failed module and goes on with the next; this guest just never joins.
		return false, fmt.Errorf("%w: %w", ErrNoClient, err)
	}
	service := config.Service("nomad")
	if service.Enabled {
		if err := write(root, enabledLink, ""); err != nil {
			return false, err
		}
	}
	return service.Started, nil
}

func write(root, path, content string) error {
	return cloudinit.File{Path: path, Content: content}.Write(root)
}

// hostname of the guest, as its kernel knows it.
func hostname(root string) (string, error) {
	b, err := os.ReadFile(cloudinit.Inside(root, hostnameFile))
	return strings.TrimSpace(string(b)), err
}

// configPaths are the paths, as the guest sees them, that nomad.service passes with -config: those of a unit
// from write_files, else that of the packaged unit.
func configPaths(root string) []string {
	units, _ := filepath.Glob(cloudinit.Inside(root, unitFile) + ".d/*.conf") // only fails on a bad pattern
	var paths []string
	for _, unit := range append([]string{cloudinit.Inside(root, unitFile)}, units...) {
		b, err := os.ReadFile(unit)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(b)) {
			if command, ok := strings.CutPrefix(strings.TrimSpace(line), "ExecStart="); ok {
				paths = configFlags(strings.Fields(command)) // an empty ExecStart= resets, as in systemd
			}
		}
	}
	if len(paths) == 0 {
		return []string{configDir}
	}
	return paths
}

func configFlags(words []string) []string {
	var paths []string
	for i, word := range words {
		flag, value, joined := strings.Cut(strings.TrimLeft(word, "-"), "=")
		switch {
		case flag != "config" || !strings.HasPrefix(word, "-"):
		case joined:
			paths = append(paths, value)
		case i+1 < len(words):
			paths = append(paths, words[i+1])
		}
	}
	return paths
}

// environment reads the EnvironmentFile of the packaged unit.
func environment(root string) []string {
	b, err := os.ReadFile(cloudinit.Inside(root, configDir+"/nomad.env"))
	if err != nil {
		return nil
	}
	var env []string
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if ok && !strings.HasPrefix(key, "#") {
			env = append(env, key+"="+strings.Trim(value, `"'`))
		}
	}
	return env
}
