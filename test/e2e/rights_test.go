package e2e

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	kubevirtv1 "kubevirt.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/nodestate"
	"github.com/nomad-harvester/nomad-harvester/test/testenv"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/testenv/process"
)

var (
	poolRights = rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group},
		Resources: []string{"nomadnodepools", "nomadnodepools/scale"}, Verbs: []string{"get", "create", "update", "patch"}}
	secretRights = rbacv1.PolicyRule{APIGroups: []string{""}, Resources: []string{"secrets"}, Verbs: []string{"get"}}
	// sharedRights are for what pools name of the namespace default.
	sharedRights = []rbacv1.PolicyRule{
		{APIGroups: []string{"harvesterhci.io"}, Resources: []string{"virtualmachineimages"}, Verbs: []string{"get"}},
		{APIGroups: []string{"k8s.cni.cncf.io"}, Resources: []string{"network-attachment-definitions"}, Verbs: []string{"get"}},
		{APIGroups: []string{"harvesterhci.io"}, Resources: []string{"virtualmachinetemplateversions"}, Verbs: []string{"get"}},
		{APIGroups: []string{"harvesterhci.io"}, Resources: []string{"keypairs"}, Verbs: []string{"get"}},
	}
)

// There the controller makes no VMs, and nobody is to find that out later.
func TestOthersMakeNoPoolsInThePlatformsNamespaces(t *testing.T) {
	t.Parallel()
	p := newPool("of-the-platform", 0)
	p.Namespace = metav1.NamespaceSystem
	asks(t, "metadata.namespace: kube-system is of the platform",
		func() error { return w.Client.Create(t.Context(), p, client.DryRunAll) })
}

// The controller makes VMs, reads Secrets and images of other namespaces with rights of its own. Through a pool nobody
// gets at what he couldn't get at himself, and the refusal names the right.
func TestOthersGetNothingThroughAPool(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rights []rbacv1.PolicyRule
		shared []rbacv1.PolicyRule // in the namespace default
		change func(*v1alpha1.NomadNodePool)
		want   string // part of the refusal; empty: the pool is accepted
	}{
		"pools-alone":        {nil, sharedRights, nil, "may not create virtualmachines.kubevirt.io in namespace " + fixtures.Namespace},
		"no-image":           {[]rbacv1.PolicyRule{vmRights}, sharedRights[1:], nil, "virtualmachineimages.harvesterhci.io " + fixtures.Image},
		"no-network":         {[]rbacv1.PolicyRule{vmRights}, sharedRights[:1], nil, "network-attachment-definitions.k8s.cni.cncf.io " + fixtures.Network},
		"all":                {[]rbacv1.PolicyRule{vmRights}, sharedRights, nil, ""},
		"no-secret":          {[]rbacv1.PolicyRule{vmRights}, sharedRights, namesSecret, "may not get secrets in namespace " + fixtures.Namespace},
		"secret":             {[]rbacv1.PolicyRule{vmRights, secretRights}, sharedRights, namesSecret, ""},
		"no-template":        {[]rbacv1.PolicyRule{vmRights}, sharedRights[:2], ofTemplate, "in the namespace of " + fixtures.Template},
		"template":           {[]rbacv1.PolicyRule{vmRights}, sharedRights, ofTemplate, ""},
		"credentials":        {[]rbacv1.PolicyRule{vmRights}, sharedRights, withCredentials, "nomad.credentialsSecretRef"},
		"of-their-namespace": {[]rbacv1.PolicyRule{vmRights}, nil, imagesOfTheirs, ""},
		"many":               {[]rbacv1.PolicyRule{vmRights}, sharedRights, withMany("default"), ""},
		"many-no-image":      {[]rbacv1.PolicyRule{vmRights}, sharedRights[1:], withMany("default"), "may not get virtualmachineimages"},
		"many-no-network":    {[]rbacv1.PolicyRule{vmRights}, sharedRights[:1], withMany("default"), "may not get network-attachment"},
		"many-elsewhere":     {[]rbacv1.PolicyRule{vmRights}, sharedRights, withMany("default", "other"), "may not get virtualmachineimages"},
		"no-key-pair":        {[]rbacv1.PolicyRule{vmRights}, sharedRights[:3], withKeyPairs("default/ops"), "may not get keypairs.harvesterhci.io default/ops"},
		"key-pair":           {[]rbacv1.PolicyRule{vmRights}, sharedRights, withKeyPairs("default/ops"), ""},
		"key-pair-of-theirs": {[]rbacv1.PolicyRule{vmRights}, sharedRights[:3], withKeyPairs(fixtures.Namespace+"/ops", "harvester-public/x"), ""},
		"many-key-pairs":     {[]rbacv1.PolicyRule{vmRights}, sharedRights, withKeyPairs(slices.Repeat([]string{"default/a"}, 32)...), ""},
		"many-no-key-pair":   {[]rbacv1.PolicyRule{vmRights}, sharedRights, withKeyPairs("default/a", "b/b", "default/c"), "may not get keypairs"},
		"key-pairs-of-three": {[]rbacv1.PolicyRule{vmRights}, sharedRights, withKeyPairs("default/a", "b/b", "c/c"), "more than two namespaces"},
		"overlaid-network":   {[]rbacv1.PolicyRule{vmRights}, sharedRights[:1], overlaidNetwork("default/vlan-9", false), "network-attachment-definitions.k8s.cni.cncf.io default/vlan-9"},
		"overlaid-of-theirs": {[]rbacv1.PolicyRule{vmRights}, sharedRights[:1], overlaidNetwork(fixtures.Namespace+"/vlan-9", false), ""},
		"overlaid-strangely": {[]rbacv1.PolicyRule{vmRights}, sharedRights, overlaidNetwork("default/vlan-9", true), ""},
		"of-three":           {[]rbacv1.PolicyRule{vmRights}, sharedRights, withMany("default", "b", "c"), "more than two namespaces"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPool("rights-"+name, 0)
			if c.change != nil {
				c.change(p)
			}
			user := person(t, append(slices.Clone(c.rights), poolRights)...)
			grant(t, "default", c.shared...)
			asks(t, c.want, func() error { return user.Create(t.Context(), p.DeepCopy(), client.DryRunAll) })
		})
	}
}

// Who may only scale a pool changes nothing else of it. Words that aren't the spec are everybody's who may patch it.
func TestOthersChangeNoTemplate(t *testing.T) {
	t.Parallel()
	create(t, newPool("unchanged", 0))
	p := newPool("unchanged", 0)
	user := person(t, poolRights)
	patch := func(text string) error {
		return user.Patch(t.Context(), p.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)))
	}
	asks(t, "may not create virtualmachines.kubevirt.io", func() error { return patch(`{"spec":{"template":{"cpu":3}}}`) })
	asks(t, "kubectl scale", func() error {
		return patch(`{"spec":{"template":{"virtualMachine":{"template":{"spec":{"domain":{"cpu":{"model":"host-model"}}}}}}}}`)
	})
	asks(t, "", func() error { return patch(`{"metadata":{"labels":{"team":"ci"}}}`) })
	asks(t, "", func() error {
		return user.SubResource("scale").Patch(t.Context(), p.DeepCopy(),
			client.RawPatch(types.MergePatchType, []byte(`{"spec":{"replicas":0}}`)))
	})
}

// The controller sends what is in the Secrets that a member's connections name, so who may not read them names none.
func TestOthersLendAMemberNoSecret(t *testing.T) {
	t.Parallel()
	create(t, newPool("lent", 1))
	eventually(t, "lent", "the pool to settle", time.Minute, allReady(1))
	user := person(t, vmRights, rbacv1.PolicyRule{APIGroups: []string{v1alpha1.GroupVersion.Group},
		Resources: []string{"nomadnodes"}, Verbs: []string{"get", "patch"}})
	grant(t, "default", sharedRights...)
	patch := func(text string) func() error {
		n := members(t, "lent")[0]
		return func() error {
			return user.Patch(t.Context(), n.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)), client.DryRunAll)
		}
	}
	for _, field := range []string{"nomad", "formerNomad"} {
		asks(t, "may not get secrets", patch(fmt.Sprintf(`{"spec":{%q:{"credentialsSecretRef":{"name":"x"}}}}`, field)))
		asks(t, "", patch(fmt.Sprintf(`{"spec":{%q:{"address":"http://127.0.0.1:4646"}}}`, field)))
	}
	asks(t, "", patch(`{"metadata":{"labels":{"team":"ci"}}}`))
}

// A member's VM is known by its marks, so nobody takes them off.
func TestOthersCantUnmarkAMember(t *testing.T) {
	t.Parallel()
	create(t, newPool("marked", 1))
	eventually(t, "marked", "the pool to settle", time.Minute, allReady(1))
	vm := vms(t, "marked")[0]
	user := person(t, vmRights)
	patch := func(text string) error {
		return user.Patch(t.Context(), vm.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)), client.DryRunAll)
	}
	for _, text := range []string{
		fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, v1alpha1.PoolLabel),
		fmt.Sprintf(`{"metadata":{"labels":{%q:"other"}}}`, v1alpha1.PoolLabel),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, v1alpha1.MemberAnnotation),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:"x"}}}`, v1alpha1.PoolUIDAnnotation),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null}}}`, v1alpha1.NodeIDAnnotation),
		fmt.Sprintf(`{"metadata":{"annotations":{%q:null,%q:"yes"}}}`, v1alpha1.MemberAnnotation, v1alpha1.AllowDeleteAnnotation),
	} {
		asks(t, "kubectl -n "+vm.Namespace+" delete nomadnode "+vm.Name, func() error { return patch(text) })
	}
	asks(t, "", func() error { return patch(`{"metadata":{"labels":{"team":"ci"}}}`) })
	// What Harvester's UI writes before it deletes a VM stays, if the deletion is refused.
	tried := fmt.Appendf(nil, `{"metadata":{"annotations":{%q:"x"}}}`, nodestate.RemovedClaimsAnnotation)
	if err := user.Patch(t.Context(), vm.DeepCopy(), client.RawPatch(types.MergePatchType, tried)); err != nil {
		t.Fatal(err)
	}
	reported(t, "marked", "DeleteRefused", "kubectl -n "+vm.Namespace+" delete nomadnode "+vm.Name)
	asks(t, "", func() error {
		if _, left := vms(t, "marked")[0].Annotations[nodestate.RemovedClaimsAnnotation]; left {
			return errNotYet
		}
		return nil
	})
}

// Who takes the controller's place makes no tokens of service accounts, takes nobody's Secrets away, and gets into the
// platform's namespaces by no VM.
func TestOthersInTheControllersPlace(t *testing.T) {
	t.Parallel()
	controller := as(t, fixtures.ProductNamespace, testenv.ControllerServiceAccount)
	secret := func(name string, kind corev1.SecretType) *corev1.Secret {
		return &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: fixtures.Namespace, Name: name,
			Labels:      map[string]string{v1alpha1.PoolLabel: "p", v1alpha1.NodeLabel: "p-1"},
			Annotations: map[string]string{corev1.ServiceAccountNameKey: "default"}}, Type: kind}
	}
	const others = "makes and deletes only the cloud-init Secrets of members"
	creating := func(s *corev1.Secret) func() error {
		return func() error { return controller.Create(t.Context(), s.DeepCopy(), client.DryRunAll) }
	}
	unlabeled := secret("x-cloudinit", corev1.SecretTypeOpaque)
	unlabeled.Labels = nil
	asks(t, others, creating(secret("x-cloudinit", corev1.SecretTypeServiceAccountToken)))
	asks(t, others, creating(secret("x", corev1.SecretTypeOpaque)))
	asks(t, others, creating(unlabeled))
	asks(t, "", creating(secret("x-cloudinit", corev1.SecretTypeOpaque)))
	somebodys := secret("somebodys", corev1.SecretTypeOpaque)
	createObject(t, somebodys)
	asks(t, others, func() error { return controller.Delete(t.Context(), somebodys, client.DryRunAll) })
	members := secret("members-cloudinit", corev1.SecretTypeOpaque)
	members.Data = map[string][]byte{"userdata": []byte("a"), "networkdata": []byte("b")}
	createObject(t, members)
	patching := func(s *corev1.Secret, text string) func() error {
		return func() error {
			return controller.Patch(t.Context(), s.DeepCopy(), client.RawPatch(types.MergePatchType, []byte(text)), client.DryRunAll)
		}
	}
	const nothing = "changes nothing of a cloud-init Secret but its user data"
	asks(t, "", patching(members, `{"data":{"userdata":"Yw=="}}`))
	asks(t, nothing, patching(members, `{"data":{"networkdata":"Yw=="}}`))
	asks(t, nothing, patching(members, `{"data":{"networkdata":null}}`))
	asks(t, nothing, patching(members, `{"data":{"more":"Yw=="}}`))
	asks(t, nothing, patching(members, fmt.Sprintf(`{"metadata":{"labels":{%q:"p-2"}}}`, v1alpha1.NodeLabel)))
	asks(t, others, patching(members, fmt.Sprintf(`{"metadata":{"labels":{%q:null}}}`, v1alpha1.NodeLabel)))
	asks(t, others, patching(somebodys, `{"data":{"userdata":"Yw=="}}`))
	// With a VM come the Secrets of its namespace, and the tokens of its service accounts.
	create(t, newPool("placed", 1))
	eventually(t, "placed", "the pool to settle", time.Minute, allReady(1))
	placed := vms(t, "placed")[0]
	making := func(namespace, name string, annotations map[string]string) func() error {
		vm := &kubevirtv1.VirtualMachine{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: placed.Labels,
			Annotations: annotations}, Spec: placed.Spec}
		return func() error { return controller.Create(t.Context(), vm.DeepCopy(), client.DryRunAll) }
	}
	marks := map[string]string{v1alpha1.PoolUIDAnnotation: "u", v1alpha1.MemberAnnotation: placed.Name}
	asks(t, "namespace kube-system is of the platform", making(metav1.NamespaceSystem, placed.Name, marks))
	asks(t, "makes only VMs of members", making(fixtures.Namespace, "x-1", marks))
	asks(t, "makes only VMs of members", making(fixtures.Namespace, "x-1", nil))
	// Nobody's Secret becomes a member's by a label.
	unlabeled.Name = "unlabeled-cloudinit"
	createObject(t, unlabeled)
	asks(t, nothing, patching(unlabeled, fmt.Sprintf(`{"metadata":{"labels":{%q:"p-1"}},"data":{"userdata":"Yw=="}}`,
		v1alpha1.NodeLabel)))
}

// A NomadNode says which Nomad node is drained and purged, so none is made but for its pool: not by whoever has all rights in
// the namespace, not by an administrator, and not from a backup, in which it looks like any other.
func TestOthersMakeNoMembers(t *testing.T) {
	t.Parallel()
	create(t, newPool("made", 1))
	eventually(t, "made", "the pool to settle", time.Minute, allReady(1))
	member := members(t, "made")[0]
	restored := &v1alpha1.NomadNode{Spec: member.Spec, ObjectMeta: metav1.ObjectMeta{Namespace: member.Namespace, Name: "made-0",
		Labels: member.Labels, Annotations: member.Annotations, OwnerReferences: member.OwnerReferences}}
	const alone = "made by their NomadNodePool alone"
	anybody := person(t, rbacv1.PolicyRule{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: []string{"*"}})
	grant(t, "default", sharedRights...) // or another policy refuses it before
	for name, c := range map[string]client.Client{
		"everything-in-the-namespace": anybody, "administrator": w.Client,
		"garbage-collector":  as(t, metav1.NamespaceSystem, "generic-garbage-collector"),
		"autoscaler's agent": as(t, fixtures.ProductNamespace, testenv.AutoscalerServiceAccount),
	} {
		t.Run(name, func(t *testing.T) {
			want := alone + ", not by "
			if name == "autoscaler's agent" || name == "garbage-collector" {
				want = "cannot create resource" // by its role
			}
			asks(t, want, func() error { return c.Create(t.Context(), restored.DeepCopy(), client.DryRunAll) })
		})
	}
	asks(t, "kubectl -n "+member.Namespace+" scale nnp made --replicas=N",
		func() error { return w.Client.Create(t.Context(), restored.DeepCopy(), client.DryRunAll) })
	controller := as(t, fixtures.ProductNamespace, testenv.ControllerServiceAccount)
	asks(t, "", func() error { return controller.Create(t.Context(), restored.DeepCopy(), client.DryRunAll) })
}

func namesSecret(p *v1alpha1.NomadNodePool) {
	p.Spec.Template.CloudInit = v1alpha1.CloudInit{UserDataSecretRef: &v1alpha1.SecretKeyRef{Name: "anybodys", Key: "x"}}
}

func withCredentials(p *v1alpha1.NomadNodePool) {
	p.Spec.Nomad.CredentialsSecretRef = &v1alpha1.SecretRef{Name: "anybodys"}
}

func ofTemplate(p *v1alpha1.NomadNodePool) {
	p.Spec.Template = v1alpha1.NodeTemplate{From: &v1alpha1.TemplateSource{Kind: "VirtualMachineTemplate",
		Name: fixtures.Template}}
}

func imagesOfTheirs(p *v1alpha1.NomadNodePool) {
	p.Spec.Template.Disks[0].Image = fixtures.Namespace + "/image-abcde"
	p.Spec.Template.Networks[0].Name = fixtures.Namespace + "/vlan-1"
}

func withKeyPairs(names ...string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) { p.Spec.Template.SSHKeys = names }
}

// overlaidNetwork has the overlay add a network, or, strangely, what looks a little like one.
func overlaidNetwork(name string, strange bool) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) {
		p.Spec.Template.Networks[0].Name = fixtures.Namespace + "/vlan-1"
		overlay := `{"template":{"spec":{"networks":[{"name":"more","multus":{"networkName":%q}}]}}}`
		if strange {
			overlay = `{"template":{"spec":{"networks":[1,{"multus":[%q]},{"multus":{"networkName":2}},{"multus":null},{}]}}}`
		}
		p.Spec.Template.VirtualMachine = &runtime.RawExtension{Raw: fmt.Appendf(nil, overlay, name)}
	}
}

// withMany gives a pool as many images and networks as it may have, of namespaces in turn.
func withMany(namespaces ...string) func(*v1alpha1.NomadNodePool) {
	return func(p *v1alpha1.NomadNodePool) {
		disk, network := p.Spec.Template.Disks[0], p.Spec.Template.Networks[0]
		p.Spec.Template.Disks, p.Spec.Template.Networks = nil, nil
		for i := range 12 {
			disk.Name, disk.Image = fmt.Sprintf("d%d", i), fmt.Sprintf("%s/image-%d", namespaces[i%len(namespaces)], i)
			p.Spec.Template.Disks = append(p.Spec.Template.Disks, disk)
		}
		for i := range 8 {
			network.Name = fmt.Sprintf("%s/vlan-%d", namespaces[i%len(namespaces)], i)
			p.Spec.Template.Networks = append(p.Spec.Template.Networks, network)
		}
	}
}

// asks waits until a request is answered so: policies and roles are in force a moment after they were written. want is
// a part of the refusal; empty: it is accepted.
func asks(t *testing.T, want string, request func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := process.WaitFor(ctx, 100*time.Millisecond, "the answer", func(context.Context) error {
		err := request()
		switch {
		case want == "":
			return err
		case err == nil:
			return errors.New("it was accepted")
		case !strings.Contains(err.Error(), want):
			return fmt.Errorf("the refusal lacks %q: %w", want, err)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}
