package guest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
)

// noCloudMetadata is the meta-data of the NoCloud data source. Source: KubeVirt v1.7.0, pkg/cloud-init/cloud-init.go.
type noCloudMetadata struct {
	InstanceID    string `json:"instance-id"`
	LocalHostname string `json:"local-hostname"`
}

// writeSeed makes the NoCloud volume of a machine, as virt-launcher does at each start, with the same program.
func writeSeed(ctx context.Context, m Machine) (string, error) {
	metadata, err := json.Marshal(noCloudMetadata{InstanceID: m.instanceID(), LocalHostname: m.Hostname})
	if err != nil {
		return "", err
	}
	staging, err := os.MkdirTemp(m.Disk, "cidata-")
	if err != nil {
		return "", err
	}
	defer func() { _ = os.RemoveAll(staging) }()
	files := map[string][]byte{"user-data": m.UserData, "meta-data": metadata}
	if len(m.NetworkData) > 0 {
		files["network-config"] = m.NetworkData
	}
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(staging, name), content, 0o600); err != nil {
			return "", err
		}
	}
	seed := filepath.Join(m.Disk, seedImage)
	return seed, run(ctx, "xorrisofs", "-quiet", "-output", seed, "-volid", "cidata", "-joliet", "-rock",
		"-partition_cyl_align", "on", staging)
}
