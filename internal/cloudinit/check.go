package cloudinit

import (
	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// CheckUserData returns why no cloud-config of a member can be made from the user's and the Harvester template's; nil:
// it can.
func CheckUserData(from *blueprint.TemplateCloudInit, text string, install *v1alpha1.NomadInstall) error {
	config, err := parseUserData(text)
	if err != nil {
		return err
	}
	if err := checkOwned(config, install); err != nil {
		return err
	}
	user, err := stackUserData(from, text)
	if err != nil {
		return err
	}
	if err := checkOwned(user, install); err != nil { // each may be valid, and both together invalid
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

// CheckTemplate returns why the cloud-init of a Harvester template can't be merged under the user's; nil: it can.
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
