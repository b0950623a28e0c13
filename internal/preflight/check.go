package preflight

import (
	"fmt"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/api/resource"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// Check finds what in a template and a client's configuration can't work. Harvester's admission accepts most of that:
// the start of a VM with a missing image, Secret or storage class never ends, and no condition has the reason. The
// problems are in the order of the template's fields, then of the configuration's.
func Check(t *v1alpha1.NodeTemplate, n *v1alpha1.NomadClient, f blueprint.Facts) []condition.Problem {
	c := &checker{facts: f}
	c.from(t, n.Install)
	for i, d := range t.Disks {
		c.disk(fmt.Sprintf("spec.template.disks[%d]", i), d)
	}
	for i, n := range t.Networks {
		if n.Type == v1alpha1.NetworkManagement {
			continue
		}
		c.network(fmt.Sprintf("spec.template.networks[%d].name", i), n.Name)
	}
	for i, ref := range t.SSHKeys {
		c.keyPair(fmt.Sprintf("spec.template.sshKeys[%d]", i), ref)
	}
	c.cloudInit(t, n.Install)
	c.labels(t)
	c.overlay(t)
	c.client(t, n)
	c.size(t, n)
	return c.problems
}

type checker struct {
	facts    blueprint.Facts
	problems []condition.Problem
}

func (c *checker) report(reason, format string, args ...any) {
	c.problems = append(c.problems, condition.Problem{Reason: reason, Message: fmt.Sprintf(format, args...)})
}

func (c *checker) disk(field string, d v1alpha1.Disk) {
	if d.Name == vm.CloudInitDisk {
		c.report(v1alpha1.ReasonTemplateInvalid,
			`%s.name: %q is the name of the cloud-init disk; choose another one`, field, d.Name)
	}
	if d.Image == "" {
		c.storageClass(field+".storageClassName", d.StorageClassName, "name another (kubectl get storageclasses)")
		return
	}
	img, ok := c.facts.Images[d.Image]
	if !ok {
		c.report(
			v1alpha1.ReasonImageNotFound,
			`%s.image: VirtualMachineImage %q doesn't exist; create it or name another, as namespace/name and not by its display name (kubectl get virtualmachineimages -A)`,
			field,
			d.Image,
		)
		return
	}
	if img.NotReady != "" {
		reason, remedy := v1alpha1.ReasonImageNotReady, "wait for its import or see its status"
		if img.Failed {
			reason, remedy = v1alpha1.ReasonImageFailed, "see its status, and import it again"
		}
		c.report(reason, `%s.image: VirtualMachineImage %q can't be used: %s; %s (kubectl get virtualmachineimages -A)`,
			field, d.Image, img.NotReady, remedy)
		return
	}
	c.storageClass(field+".image", img.StorageClassName,
		fmt.Sprintf("it is the class of VirtualMachineImage %q; import the image again", d.Image))
	if least := img.VirtualSize; d.Size.Value() < least {
		c.report(v1alpha1.ReasonDiskTooSmall,
			`%s.size: %s is less than the virtual size of VirtualMachineImage %q; use at least %s`, field, d.Size.String(),
			d.Image, wholeMi(least))
	}
}

// reservedClasses are refused by Harvester (Harvester: pkg/webhook/resources/persistentvolumeclaim/validator.go,
// validateInternalUsage). It makes a VM's claims itself, so the refusal would be in its log only.
var reservedClasses = []string{"longhorn-static", "vmstate-persistence"}

func (c *checker) storageClass(field, name, remedy string) {
	if slices.Contains(reservedClasses, name) {
		c.report(v1alpha1.ReasonTemplateInvalid,
			`%s: Harvester keeps StorageClass %q for itself and refuses volumes of it; %s`, field, name, remedy)
		return
	}
	if _, ok := c.facts.StorageClasses[name]; !ok {
		c.report(v1alpha1.ReasonStorageClassNotFound, `%s: StorageClass %q doesn't exist; %s`, field, name, remedy)
	}
}

func (c *checker) network(field, name string) {
	network, ok := c.facts.Networks[name]
	switch {
	case !ok:
		c.report(
			v1alpha1.ReasonNetworkNotFound,
			`%s: NetworkAttachmentDefinition %q doesn't exist; create the network or name another (kubectl get network-attachment-definitions -A)`,
			field,
			name,
		)
	case network.NotReady:
		c.report(v1alpha1.ReasonNetworkNotReady,
			`%s: NetworkAttachmentDefinition %q has the label %s=false; see its cluster network in Harvester`, field, name,
			networkReadyLabel)
	}
}

func (c *checker) keyPair(field, ref string) {
	pair, ok := c.facts.KeyPairs[ref]
	switch {
	case !ok:
		c.report(v1alpha1.ReasonKeyPairNotFound,
			`%s: KeyPair %q doesn't exist; create it or name another (kubectl get keypairs.harvesterhci.io -A)`, field, ref)
	case pair.Invalid:
		c.report(
			v1alpha1.ReasonKeyPairNotFound,
			`%s: Harvester can't read the public key of KeyPair %q (its condition validated is False); make the key pair anew or name another`,
			field,
			ref,
		)
	case pair.PublicKey == "":
		c.report(v1alpha1.ReasonKeyPairNotFound, `%s: KeyPair %q has no spec.publicKey; set it or name another`, field, ref)
	}
}

func (c *checker) cloudInit(t *v1alpha1.NodeTemplate, install *v1alpha1.NomadInstall) {
	const field = "spec.template.cloudInit"
	init := t.CloudInit
	if text, ok := c.text(field+".userData", init.UserData, init.UserDataSecretRef); ok {
		if err := cloudinit.CheckUserData(c.facts.From, text, install); err != nil {
			c.report(v1alpha1.ReasonTemplateInvalid, `%s: %v`, textField(field+".userData", init.UserDataSecretRef), err)
		}
	}
	if text, ok := c.text(field+".networkData", init.NetworkData, init.NetworkDataSecretRef); ok {
		if err := cloudinit.CheckNetworkData(text); err != nil {
			c.report(v1alpha1.ReasonTemplateInvalid, `%s: %v`, textField(field+".networkData", init.NetworkDataSecretRef), err)
		}
	}
}

// maxSecretSize is how many bytes a Secret holds (Kubernetes: pkg/apis/core/types.go, MaxSecretSize).
const maxSecretSize = 1 << 20

// size renders cloud-init for a member with longer names and a longer token than any has. The rendered document may be
// longer than what the user wrote: aliases are replaced by their values, and characters by escapes.
func (c *checker) size(t *v1alpha1.NodeTemplate, n *v1alpha1.NomadClient) {
	if len(c.problems) > 0 {
		return
	}
	name := strings.Repeat("m", 253)
	longest := blueprint.Member{Name: name, PoolName: name, PoolUID: name, NodeID: name, Region: name,
		IntroductionToken: strings.Repeat("t", 8<<10), Template: *t, Client: *n}
	if cloudinit.AtMost(longest, c.facts) <= maxSecretSize {
		return // most documents are so short that none has to be rendered
	}
	s, err := cloudinit.Secret(longest, c.facts)
	if err != nil {
		return // Render reports it
	}
	bytes := 0
	for _, value := range s.Data {
		bytes += len(value)
	}
	if bytes > maxSecretSize {
		c.report(
			v1alpha1.ReasonTemplateInvalid,
			`spec.template.cloudInit: with what Nomad needs it has %d bytes, and a Secret holds at most %d; make it shorter, or have the guest fetch the rest`,
			bytes,
			maxSecretSize,
		)
	}
}

// text returns a document of cloudInit, and reports a problem if the Secret or key that it refers to doesn't exist.
func (c *checker) text(field, inline string, ref *v1alpha1.SecretKeyRef) (string, bool) {
	text, ok := c.facts.Text(inline, ref)
	if ok {
		return text, true
	}
	if c.token(textField(field, ref), ref.Name) {
		return "", false
	}
	if _, exists := c.facts.Secrets[ref.Name]; exists {
		c.report(v1alpha1.ReasonSecretNotFound,
			`%s.key: Secret %q has no key %q; add it or name another`, textField(field, ref), ref.Name, ref.Key)
	} else {
		c.report(v1alpha1.ReasonSecretNotFound,
			`%s.name: Secret %q doesn't exist in the pool's namespace; create it or name another`, textField(field, ref),
			ref.Name)
	}
	return "", false
}

// token reports a Secret from which nothing is taken.
func (c *checker) token(field, name string) bool {
	if c.facts.TokenSecrets[name] {
		c.report(v1alpha1.ReasonTemplateInvalid, "%s.name: Secret %q is the token of a Kubernetes service account, "+
			"which isn't given to guests; put what they need into a Secret of type Opaque", field, name)
	}
	return c.facts.TokenSecrets[name]
}

func textField(field string, ref *v1alpha1.SecretKeyRef) string {
	if ref != nil {
		return field + "SecretRef"
	}
	return field
}

// from reports what is wrong with the Harvester template. If anything is, the other checks ignore it.
func (c *checker) from(t *v1alpha1.NodeTemplate, install *v1alpha1.NomadInstall) {
	if t.From == nil {
		return
	}
	from := c.facts.From
	c.facts.From = nil
	switch {
	case from == nil:
		c.problems = append(c.problems, harvestertemplate.NotFound(*t.From))
	case from.Problem != nil:
		c.problems = append(c.problems, *from.Problem)
	default:
		if err := cloudinit.CheckTemplate(from, install); err != nil {
			c.report(v1alpha1.ReasonTemplateInvalid, "%s: its cloud-init: %v; correct it in a new version",
				harvestertemplate.Field(*t.From), err)
			return
		}
		c.facts.From = from
	}
}

// overlay reports what is wrong with the overlay, which is the same for every member.
func (c *checker) overlay(t *v1alpha1.NodeTemplate) {
	for _, err := range vm.OverlayErrors(t) {
		c.report(v1alpha1.ReasonTemplateInvalid, "%v", err)
	}
}

// wholeMi writes a number of bytes as the next whole Mi, or Gi if it is that.
func wholeMi(bytes int64) string {
	const mi = 1 << 20
	return resource.NewQuantity((bytes+mi-1)/mi*mi, resource.BinarySI).String()
}
