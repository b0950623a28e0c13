package cloudinit

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// CheckUserData says if a member's cloud-config can be made of the user's and the Harvester template's.
func CheckUserData(from *blueprint.TemplateCloudInit, text string, install *v1alpha1.NomadInstall) error {
	own, err := parseUserData(text)
	if err != nil {
		return err
	}
	if err := checkOwned(own, install); err != nil {
		return err
	}
	user, err := stackUserData(from, text)
	if err != nil {
		return err
	}
	if err := checkOwned(user, install); err != nil { // Each may be right, and both together wrong.
		return err
	}
	_, err = mergeCloudConfig(user, yamlNode(everyKey))
	return err
}

// everyKey has all the lists and mappings that memberCloudConfig may add to.
var everyKey = map[string]any{
	"apt": map[string]any{"sources": map[string]any{aptSourceName: map[string]any{}}}, "bootcmd": []any{},
	"packages": []any{}, "runcmd": []any{}, "ssh_authorized_keys": []any{}, "write_files": []any{},
}

// CheckTemplate says if the cloud-init of a Harvester template can be a member's, under the user's.
func CheckTemplate(c *blueprint.TemplateCloudInit, install *v1alpha1.NomadInstall) error {
	config, err := parseUserData(c.UserData)
	if err != nil {
		return err
	}
	if err := checkOwned(config, install); err != nil {
		return err
	}
	if _, err := mergeCloudConfig(config, yamlNode(everyKey)); err != nil {
		return err
	}
	return CheckNetworkData(c.NetworkData)
}
