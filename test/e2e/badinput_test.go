package e2e

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/utils/ptr"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// A mistake in a pool is refused when it is written, with the field, the value and the remedy.
func TestMistakesAreRefusedByTheAPIServer(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		change  func(map[string]any)
		reports []string
	}{
		{"unknown strategy", spec("MostBusy", "scaleIn", "strategy"),
			[]string{"spec.scaleIn.strategy", `"MostBusy"`,
				`"LeastBusy", "NewestCreateIndex", "OldestCreateIndex", "Empty", "EmptyIgnoreSystem"`}},
		{"negative replicas", spec(int64(-1), "replicas"), []string{"spec.replicas", "-1", "greater than or equal to 0"}},
		{"fractional replicas", spec(1.5, "replicas"), []string{"spec.replicas", "must be of type integer"}},
		{"min above max", func(p map[string]any) {
			spec(int64(5), "minReplicas")(p)
			spec(int64(3), "maxReplicas")(p)
			spec(int64(5), "replicas")(p)
		}, []string{"spec.minReplicas: 5 is more than spec.maxReplicas 3; lower minReplicas or raise maxReplicas"}},
		{"replicas above max", spec(int64(0), "maxReplicas"),
			[]string{"spec.replicas: 1 is more than spec.maxReplicas 0; ask for at most that many or raise maxReplicas"}},
		{"replicas below min", spec(int64(2), "minReplicas"),
			[]string{"spec.replicas: 1 is less than spec.minReplicas 2; ask for at least that many or lower minReplicas"}},
		{"no deadline", spec("0s", "scaleIn", "drain", "deadline"),
			[]string{"spec.scaleIn.drain.deadline",
				`deadline: "0s" is not longer than 0s; Nomad would read 0s as no deadline at all`, "use a duration such as 15m"}},
		{"negative deadline", spec("-1s", "scaleIn", "drain", "deadline"),
			[]string{"spec.scaleIn.drain.deadline", `deadline: "-1s" is not longer than 0s`,
				"a negative one as stop everything now", "use a duration such as 15m"}},
		{"maxAge of nothing", spec("10m", "rollout", "maxAge"),
			[]string{`maxAge: "10m" is shorter than 1h, and members would be replaced all the time; ` +
				`use a duration such as 720h`}},
		{"name too long", func(p map[string]any) {
			p["metadata"].(map[string]any)["name"] = strings.Repeat("a", 41)
		}, []string{`metadata.name: "` + strings.Repeat("a", 41) + `" has 41 characters; use at most 40`}},
		{"name that is no hostname", func(p map[string]any) {
			p["metadata"].(map[string]any)["name"] = "7eleven"
		}, []string{`metadata.name: "7eleven" does not make a hostname; ` +
			`use lower-case letters, digits and dashes, beginning with a letter`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(newPool("mistaken", 1))
			if err != nil {
				t.Fatal(err)
			}
			c.change(object)
			p := &unstructured.Unstructured{Object: object}
			p.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("NomadNodePool"))
			refused(t, w.Client.Create(t.Context(), p, client.DryRunAll), c.reports...)
		})
	}
}

// The largest pool that the API server should take is taken, and one that is any larger is refused with the limit: of
// what is taken the controller holds all.
func TestLargestPoolIsTakenAndNoLarger(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change  func(*v1alpha1.NomadNodePoolSpec)
		reports []string
	}{
		"the largest": {func(*v1alpha1.NomadNodePoolSpec) {}, nil},
		"user data": {func(s *v1alpha1.NomadNodePoolSpec) { s.Template.CloudInit.UserData += "# ä\n# more\n" },
			[]string{"spec.template.cloudInit.userData", "more than 16384 bytes", "name that in userDataSecretRef"}},
		"network data": {func(s *v1alpha1.NomadNodePoolSpec) { s.Template.CloudInit.NetworkData += "# ä\n# more\n" },
			[]string{"spec.template.cloudInit.networkData", "more than 16384 bytes", "name that in networkDataSecretRef"}},
		"labels": {func(s *v1alpha1.NomadNodePoolSpec) { s.Template.Labels["key-000"] = strings.Repeat("x", 4096) },
			[]string{"spec.template.labels", "more than 4096 characters together; shorten them or have fewer"}},
		"annotations": {func(s *v1alpha1.NomadNodePoolSpec) { s.Template.Annotations["key-000"] = strings.Repeat("x", 4096) },
			[]string{"spec.template.annotations", "more than 4096 characters together; shorten them or have fewer"}},
		"meta": {func(s *v1alpha1.NomadNodePoolSpec) { s.Nomad.Meta["key-000"] = strings.Repeat("x", 4096) },
			[]string{"spec.nomad.meta", "more than 4096 characters together; shorten them or have fewer"}},
		"apt's key": {func(s *v1alpha1.NomadNodePoolSpec) { s.Nomad.Install.Apt.Key += "more" },
			[]string{"spec.nomad.install.apt.key", "16384"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := blueprinttest.LargestPool(fixtures.Namespace)
			c.change(&p.Spec)
			err := w.Client.Create(t.Context(), p, client.DryRunAll)
			if c.reports != nil {
				refused(t, err, c.reports...)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

// spec sets a field below spec, as somebody who writes YAML can: to any value.
func spec(value any, path ...string) func(map[string]any) {
	return func(object map[string]any) {
		if err := unstructured.SetNestedField(object, value, append([]string{"spec"}, path...)...); err != nil {
			panic(err)
		}
	}
}

// refused fails the test unless err holds all the words.
func refused(t *testing.T, err error, reports ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("it was accepted")
	}
	for _, part := range reports {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the refusal lacks %q: %v", part, err)
		}
	}
}

// The limits of a pool hold for kubectl scale and autoscalers too, which know only the scale subresource.
func TestScaleOutsideOfTheLimitsIsRefused(t *testing.T) {
	t.Parallel()
	create(t, newPool("limits", 2, func(p *v1alpha1.NomadNodePool) {
		p.Spec.MinReplicas, p.Spec.MaxReplicas, p.Spec.Paused = ptr.To[int32](1), ptr.To[int32](3), true
	}))
	refused(t, scale(t, "limits", 4),
		"spec.replicas: 4 is more than spec.maxReplicas 3; ask for at most that many or raise maxReplicas")
	refused(t, scale(t, "limits", 0),
		"spec.replicas: 0 is less than spec.minReplicas 1; ask for at least that many or lower minReplicas")
	refused(t, scale(t, "limits", -1), "spec.replicas", "-1")
	if p, _, err := read(t.Context(), "limits"); err != nil || p.DesiredReplicas() != 2 {
		t.Errorf("replicas are %d, not 2 (%v)", p.DesiredReplicas(), err)
	}
}

const (
	// The image has a storage class of its own, as in Harvester, which finds the volumes that use an image by it.
	lateImage = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: lh-late}
provisioner: driver.longhorn.io
parameters: {migratable: "true"}
---
apiVersion: harvesterhci.io/v1beta1
kind: VirtualMachineImage
metadata: {name: image-late, namespace: default}
spec: {displayName: late, sourceType: download, url: https://images.example.invalid/late.img, backend: backingimage}
status:
  progress: 100
  virtualSize: 10737418240
  storageClassName: lh-late
  conditions: [{type: Imported, status: "True"}]
`
	lateNetwork = `
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata:
  name: vlan-late
  namespace: default
  labels: {network.harvesterhci.io/clusternetwork: data, network.harvesterhci.io/type: L2VlanNetwork,
    network.harvesterhci.io/vlan-id: "121", network.harvesterhci.io/ready: "true"}
spec:
  config: '{"cniVersion":"0.3.1","name":"vlan-late","type":"bridge","bridge":"data-br",
    "promiscMode":true,"vlan":121,"ipam":{}}'
`
	unreadyNetwork = `
apiVersion: k8s.cni.cncf.io/v1
kind: NetworkAttachmentDefinition
metadata:
  name: vlan-unready
  namespace: default
  labels: {network.harvesterhci.io/clusternetwork: data, network.harvesterhci.io/type: L2VlanNetwork,
    network.harvesterhci.io/vlan-id: "122", network.harvesterhci.io/ready: "false"}
spec:
  config: '{"cniVersion":"0.3.1","name":"vlan-unready","type":"bridge","bridge":"data-br",
    "promiscMode":true,"vlan":122,"ipam":{}}'
`
	lateClass = `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: late}
provisioner: driver.longhorn.io
`
	lateKeyPair = `
apiVersion: harvesterhci.io/v1beta1
kind: KeyPair
metadata: {name: late, namespace: default}
spec: {publicKey: ` + fixtures.KeyPairPublicKey + `}
`
	lateSecret = `
apiVersion: v1
kind: Secret
metadata: {name: late-user-data, namespace: ` + fixtures.Namespace + `}
stringData: {cloud: "#cloud-config\ntimezone: UTC\n"}
`
)

// What a template names and doesn't exist is reported, nothing is made meanwhile, and it heals when it appears.
func TestMissingPartsOfTheTemplate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, reason string
		change       func(*v1alpha1.NodeTemplate)
		reports      []string
		missing      string
	}{
		{"no-image", v1alpha1.ReasonImageNotFound,
			func(n *v1alpha1.NodeTemplate) { n.Disks[0].Image = "default/image-late" },
			[]string{"spec.template.disks[0].image", `VirtualMachineImage "default/image-late" doesn't exist`,
				"create it or name another"}, lateImage},
		{"no-network", v1alpha1.ReasonNetworkNotFound,
			func(n *v1alpha1.NodeTemplate) { n.Networks[0].Name = "default/vlan-late" },
			[]string{"spec.template.networks[0].name", `NetworkAttachmentDefinition "default/vlan-late" doesn't exist`,
				"create the network or name another"}, lateNetwork},
		{"no-class", v1alpha1.ReasonStorageClassNotFound,
			func(n *v1alpha1.NodeTemplate) {
				n.Disks = append(n.Disks, v1alpha1.Disk{Name: "data", Size: resource.MustParse("1Gi"), StorageClassName: "late"})
			},
			[]string{"spec.template.disks[1].storageClassName", `StorageClass "late" doesn't exist`,
				"name another (kubectl get storageclasses)"}, lateClass},
		{"no-key", v1alpha1.ReasonKeyPairNotFound,
			func(n *v1alpha1.NodeTemplate) { n.SSHKeys = []string{"default/late"} },
			[]string{"spec.template.sshKeys[0]", `KeyPair "default/late" doesn't exist`, "create it or name another"},
			lateKeyPair},
		{"no-userdata", v1alpha1.ReasonSecretNotFound,
			func(n *v1alpha1.NodeTemplate) {
				n.CloudInit = v1alpha1.CloudInit{UserDataSecretRef: &v1alpha1.SecretKeyRef{Name: "late-user-data", Key: "cloud"}}
			},
			[]string{"spec.template.cloudInit.userDataSecretRef.name",
				`Secret "late-user-data" doesn't exist in the pool's namespace`, "create it or name another"}, lateSecret},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			missing := decode(t, c.missing)
			create(t, newPool(c.name, 1, func(p *v1alpha1.NomadNodePool) { c.change(&p.Spec.Template) }))
			eventually(t, c.name, "the mistake to be told", 30*time.Second,
				reports(v1alpha1.PoolTemplateValid, c.reason, c.reports...))
			eventually(t, c.name, "the pool to say that it isn't ready, and why", 10*time.Second,
				reports(v1alpha1.PoolReady, c.reason, c.reports...))
			nothingMade(t, c.name)
			if err := kube.Create(t.Context(), w.Client, missing...); err != nil {
				t.Fatal(err)
			}
			eventually(t, c.name, "the pool to heal", 90*time.Second, allReady(1))
			eventually(t, c.name, "the template to be valid", 10*time.Second,
				reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonAsExpected))
		})
	}
}

// What can be seen of a template not to work is reported before anything is made.
func TestTemplatesThatCantWork(t *testing.T) {
	t.Parallel()
	if err := kube.Create(t.Context(), w.Client, decode(t, unreadyNetwork)...); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, reason string
		change       func(*v1alpha1.NodeTemplate)
		reports      []string
	}{
		{"unready-network", v1alpha1.ReasonNetworkNotReady,
			func(n *v1alpha1.NodeTemplate) { n.Networks[0].Name = "default/vlan-unready" },
			[]string{"spec.template.networks[0].name",
				`NetworkAttachmentDefinition "default/vlan-unready" has the label network.harvesterhci.io/ready=false`,
				"see its cluster network"}},
		{"small-disk", v1alpha1.ReasonDiskTooSmall,
			func(n *v1alpha1.NodeTemplate) { n.Disks[0].Size = resource.MustParse("5Gi") },
			[]string{"spec.template.disks[0].size", fmt.Sprintf("5Gi is less than the virtual size of VirtualMachineImage %q",
				fixtures.Image), "use at least 10Gi"}},
		{"misspelt", v1alpha1.ReasonTemplateInvalid,
			func(n *v1alpha1.NodeTemplate) {
				n.VirtualMachine = &runtime.RawExtension{Raw: []byte(`{"template":{"spec":{"evictionStrategie":"External"}}}`)}
			},
			[]string{"spec.template.virtualMachine", "template.spec.evictionStrategie"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			create(t, newPool(c.name, 1, func(p *v1alpha1.NomadNodePool) { c.change(&p.Spec.Template) }))
			eventually(t, c.name, "the mistake to be told", 30*time.Second,
				both(reports(v1alpha1.PoolTemplateValid, c.reason, c.reports...),
					reports(v1alpha1.PoolReady, c.reason, c.reports...)))
			nothingMade(t, c.name)
		})
	}
}

// nothingMade checks that a pool has no member, VM, claim or Secret.
func nothingMade(t *testing.T, pool string) {
	t.Helper()
	for _, l := range []client.ObjectList{&v1alpha1.NomadNodeList{}, &kubevirtv1.VirtualMachineList{},
		&corev1.PersistentVolumeClaimList{}, &corev1.SecretList{}} {
		if err := w.Client.List(t.Context(), l, of(pool)...); err != nil {
			t.Fatal(err)
		}
		if n := meta.LenList(l); n > 0 {
			t.Errorf("%d objects of %T were made", n, l)
		}
	}
}

// decode reads objects that don't exist yet, and in the end, after the pool, are removed.
func decode(t *testing.T, manifest string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := kube.Decode([]byte(manifest))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, o := range objects {
			if err := client.IgnoreNotFound(w.Client.Delete(context.Background(), o)); err != nil {
				t.Error(err)
			}
		}
	})
	return objects
}

// change updates a pool, again if somebody else wrote to it meanwhile.
func change(t *testing.T, pool string, apply func(*v1alpha1.NomadNodePool)) {
	t.Helper()
	eventually(t, pool, "the pool to be changed", 10*time.Second,
		func(p *v1alpha1.NomadNodePool, _ []v1alpha1.NomadNode) error {
			apply(p)
			return w.Client.Update(t.Context(), p)
		})
}

// stays fails the test if the condition doesn't hold all the time.
func stays(t *testing.T, pool, what string, during time.Duration,
	check func(*v1alpha1.NomadNodePool, []v1alpha1.NomadNode) error) {
	t.Helper()
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for end := time.After(during); ; {
		p, nodes, err := read(t.Context(), pool)
		if err == nil {
			err = check(p, nodes)
		}
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		select {
		case <-end:
			return
		case <-tick.C:
		}
	}
}

func memberCondition(n v1alpha1.NomadNode, kind string) metav1.Condition {
	if c := meta.FindStatusCondition(n.Status.Conditions, kind); c != nil {
		return *c
	}
	return metav1.Condition{Type: kind, Message: fmt.Sprintf("member %s has no condition %s", n.Name, kind)}
}
