package cloudinit

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

const (
	// SecretLabel marks cloud-init Secrets for Harvester's UI.
	SecretLabel = "harvesterhci.io/cloud-init-template"
	// UserDataKey is in lower case because the UI reads no other key. KubeVirt also takes userData.
	UserDataKey = "userdata"
	// NetworkDataKey is in lower case for the same reason.
	NetworkDataKey = "networkdata"
)

// Secret is the member's cloud-init. It has to exist before the VM, whose start would otherwise never end, and
// therefore has no owner yet. It is never inlined into the VM, because KubeVirt takes at most 2048 bytes there.
func Secret(m blueprint.Member, f blueprint.Facts) (*corev1.Secret, error) {
	userData, err := userData(m, f)
	if err != nil {
		return nil, err
	}
	networkData, ok := f.Text(m.Template.CloudInit.NetworkData, m.Template.CloudInit.NetworkDataSecretRef)
	if !ok {
		return nil, fmt.Errorf("no networkData in Secret %q", m.Template.CloudInit.NetworkDataSecretRef.Name)
	}
	if networkData == "" && f.From != nil {
		networkData = f.From.NetworkData
	}
	if networkData == "" && len(m.Template.Networks) > 1 {
		networkData = dhcpOnAll
	}
	labels := blueprint.DependentLabels(m)
	labels[SecretLabel] = "harvester"
	return &corev1.Secret{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: m.Namespace,
			Name:      blueprint.SecretName(m),
			Labels:    labels,
			Annotations: map[string]string{
				v1alpha1.PoolUIDAnnotation: m.PoolUID,
				v1alpha1.NodeIDAnnotation:  m.NodeID,
			},
		},
		Type: corev1.SecretTypeOpaque,
		Data: map[string][]byte{
			UserDataKey:    []byte(userData),
			NetworkDataKey: []byte(networkData),
		},
	}, nil
}
