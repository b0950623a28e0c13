package blueprinttest

import (
	"fmt"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
)

// What a pool may have of each thing (the markers of api/v1alpha1).
const (
	MostText  = 16 << 10 // bytes of user data, of network data, of the overlay, and of apt's key
	MostPairs = 4 << 10  // characters of all labels, of all annotations, and of all meta
	mostKeys  = 32
)

// LargestPool is one that the API server takes, and that is as large as it can be. All that it names is in its own
// namespace: admission asks for the rights on what is in others, and refuses to ask for many.
func LargestPool(namespace string) *v1alpha1.NomadNodePool {
	client := Client()
	client.Servers = many(16, func(i int) string { return filled(fmt.Sprintf("s%d.", i), 253) + ":4647" })
	client.Meta = pairs(64)
	client.Install = &v1alpha1.NomadInstall{Apt: Apt()}
	client.Install.Apt.Key = filled(client.Install.Apt.Key, MostText)
	p := &v1alpha1.NomadNodePool{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "largest"}}
	p.Spec = v1alpha1.NomadNodePoolSpec{Replicas: ptr.To[int32](1000), Template: largestTemplate(namespace),
		Nomad: v1alpha1.NomadSpec{NomadClient: client}}
	return p
}

func largestTemplate(namespace string) v1alpha1.NodeTemplate {
	t := v1alpha1.NodeTemplate{
		CPU: 8, Memory: resource.MustParse("32Gi"), Description: filled("", 1024),
		SSHKeys: many(mostKeys, func(i int) string { return long(namespace, "key", i) }),
		Disks: many(12, func(i int) v1alpha1.Disk {
			return v1alpha1.Disk{Name: fmt.Sprintf("disk-%d", i), Size: resource.MustParse("40Gi"),
				Image: long(namespace, "image", i)}
		}),
		Networks: many(8, func(i int) v1alpha1.Network { return v1alpha1.Network{Name: long(namespace, "vlan", i)} }),
		Labels:   pairs(mostKeys), Annotations: pairs(mostKeys),
		VirtualMachine: Overlay(filled(`{"template":{"metadata":{"annotations":{"x":"`, MostText-5) + `"}}}}`),
	}
	t.CloudInit.UserData = filled("#cloud-config\npackages:\n", MostText, "- a\n")
	t.CloudInit.NetworkData = filled("version: 1\nconfig: []\n", MostText, "#...\n")
	return t
}

// FactsOf is a cluster in which everything that LargestPool names is as it should be.
func FactsOf(p *v1alpha1.NomadNodePool) blueprint.Facts {
	f := Facts()
	for _, d := range p.Spec.Template.Disks {
		f.Images[d.Image] = blueprint.Image{StorageClassName: StorageClass, VirtualSize: 10 << 30}
	}
	for _, n := range p.Spec.Template.Networks {
		f.Networks[n.Name] = blueprint.Network{}
	}
	for _, key := range p.Spec.Template.SSHKeys {
		f.KeyPairs[key] = blueprint.KeyPair{PublicKey: "ssh-ed25519 " + filled("AAAAC3Nza", 400) + " ops\n"}
	}
	return f
}

func many[T any](n int, each func(int) T) []T {
	all := make([]T, 0, n)
	for i := range n {
		all = append(all, each(i))
	}
	return all
}

// pairs are n keys with values, as long together as they may be.
func pairs(n int) map[string]string {
	all := map[string]string{}
	for i := range n {
		key := fmt.Sprintf("key-%03d", i)
		all[key] = filled("", min(MostPairs/n-len(key), 63))
	}
	return all
}

func long(namespace, kind string, i int) string {
	return namespace + "/" + filled(fmt.Sprintf("%s-%d-", kind, i), 253)
}

// filled is as much of some text, repeated, as makes a start that long.
func filled(start string, length int, with ...string) string {
	if with == nil {
		with = []string{"x"}
	}
	return start + strings.Repeat(with[0], (length-len(start))/len(with[0]))
}
