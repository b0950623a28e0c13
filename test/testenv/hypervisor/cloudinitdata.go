package hypervisor

import (
	"context"
	"encoding/base64"

	corev1 "k8s.io/api/core/v1"
	virtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/hypervisor/guest"
)

// document is user data or network data, wherever a volume keeps it.
type document struct {
	inline, encoded string
	secret          *corev1.LocalObjectReference
	keys            []string // in the Secret: either that KubeVirt knows
}

var (
	userDataKeys    = []string{"userdata", "userData"}
	networkDataKeys = []string{"networkdata", "networkData"}
)

// readCloudInit finds the data of the first NoCloud or ConfigDrive volume.
func (h *Hypervisor) readCloudInit(ctx context.Context, instance *virtv1.VirtualMachineInstance,
	m *guest.Machine) (err error) {
	for _, volume := range instance.Spec.Volumes {
		var user, network document
		switch noCloud, drive := volume.CloudInitNoCloud, volume.CloudInitConfigDrive; {
		case noCloud != nil:
			user = document{noCloud.UserData, noCloud.UserDataBase64, noCloud.UserDataSecretRef, userDataKeys}
			network = document{noCloud.NetworkData, noCloud.NetworkDataBase64, noCloud.NetworkDataSecretRef, networkDataKeys}
		case drive != nil:
			user = document{drive.UserData, drive.UserDataBase64, drive.UserDataSecretRef, userDataKeys}
			network = document{drive.NetworkData, drive.NetworkDataBase64, drive.NetworkDataSecretRef, networkDataKeys}
		default:
			continue
		}
		if m.UserData, err = h.read(ctx, instance.Namespace, user); err != nil {
			return err
		}
		m.NetworkData, err = h.read(ctx, instance.Namespace, network)
		return err
	}
	return nil
}

func (h *Hypervisor) read(ctx context.Context, namespace string, d document) ([]byte, error) {
	switch {
	case d.secret != nil:
		var secret corev1.Secret
		if err := h.direct.Get(ctx, client.ObjectKey{Namespace: namespace, Name: d.secret.Name}, &secret); err != nil {
			return nil, err
		}
		for _, key := range d.keys {
			if data, ok := secret.Data[key]; ok {
				return data, nil
			}
		}
		return nil, nil
	case d.encoded != "":
		return base64.StdEncoding.DecodeString(d.encoded)
	default:
		return []byte(d.inline), nil
	}
}
