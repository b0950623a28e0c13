package e2e

import (
	"context"
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/render"
	"github.com/nomad-harvester/nomad-harvester/test/templates"
)

// refusals are templates that only admission finds fault with. Of two webhooks that refuse the same VM
// it is left to chance which one is heard, so each is refused by one alone.
var refusals = []struct {
	name   string
	change func(*v1alpha1.NodeTemplate)
}{
	// Harvester: pkg/webhook/resources/virtualmachine/validator.go.
	{"maintain-mode", func(t *v1alpha1.NodeTemplate) {
		t.Labels = map[string]string{"harvesterhci.io/maintain-mode-strategy": "Never"}
	}},
	{"reserved-all", func(t *v1alpha1.NodeTemplate) {
		t.Annotations = map[string]string{"harvesterhci.io/reservedMemory": "2Gi"}
	}},
	{"reserved-less", func(t *v1alpha1.NodeTemplate) {
		t.Annotations = map[string]string{"harvesterhci.io/reservedMemory": "-1Mi"}
	}},
	{"reserved-word", func(t *v1alpha1.NodeTemplate) {
		t.Annotations = map[string]string{"harvesterhci.io/reservedMemory": "much"}
	}},
	{"cd-rom-bus", templates.InDevices(`{"disks":[{"name":"cd","cdrom":{"bus":"scsi"}}]}`)},
	// KubeVirt: pkg/virt-api/webhooks/validating-webhook/admitters/vmi-create-admitter.go and those beside it.
	{
		"secure-boot-without-smm",
		templates.InInstance(`{"domain":{"firmware":{"bootloader":{"efi":{"secureBoot":true}}}}}`),
	},
	{"eviction", templates.InInstance(`{"evictionStrategy":"Never"}`)},
	{"start", templates.InInstance(`{"startStrategy":"Later"}`)},
	{"disk-bus", templates.InDevices(`{"disks":[{"name":"root","disk":{"bus":"floppy"}}]}`)},
	{"disk-cache", templates.InDevices(`{"disks":[{"name":"root","cache":"always"}]}`)},
	{"disk-serial", templates.InDevices(`{"disks":[{"name":"root","serial":"a b"}]}`)},
	{"nic-model", templates.InDevices(`{"interfaces":[{"name":"nic-0","model":"token-ring"}]}`)},
	{"nic-boots-first", templates.InDevices(`{"interfaces":[{"name":"nic-0","bootOrder":1}]}`)},
	{"machine-type", templates.InInstance(`{"domain":{"machine":{"type":"pc-1.0"}}}`)},
	{"mouse", templates.InDevices(`{"inputs":[{"name":"mouse","type":"mouse","bus":"usb"}]}`)},
	{"io-threads", templates.InInstance(`{"domain":{"ioThreadsPolicy":"many"}}`)},
	{"dns-policy", templates.InInstance(`{"dnsPolicy":"Mine"}`)},
	{"dns-none", templates.InInstance(`{"dnsPolicy":"None"}`)},
	{"huge-pages", templates.InInstance(`{"domain":{"memory":{"hugepages":{"pageSize":"3Gi"}}}}`)},
	{"cpu-feature", templates.InInstance(`{"domain":{"cpu":{"features":[{"name":"vmx","policy":"maybe"}]}}}`)},
	{"subdomain", templates.InInstance(`{"subdomain":"not a name"}`)},
	{"sound", templates.InDevices(`{"sound":{"name":"s","model":"loud"}}`)},
	// The API server: a field of KubeVirt 1.8, which this cluster doesn't serve.
	{"newer-field", templates.InInstance(`{"domain":{"rebootPolicy":"Terminate"}}`)},
	{"probe", templates.InInstance(`{"livenessProbe":{"periodSeconds":5}}`)},
}

// Every refusal of a VM is reported by the pool in the very words that whoever made the VM by hand would have got.
func TestRefusalsAreReportedWordForWord(t *testing.T) {
	t.Parallel()
	words := map[string]string{}
	var pools []*v1alpha1.NomadNodePool
	for _, c := range refusals {
		name := "no-" + c.name
		p := newPool(name, 1, func(p *v1alpha1.NomadNodePool) { c.change(&p.Spec.Template) })
		words[name] = refusalByHand(t, p)
		pools = append(pools, p)
	}
	for _, p := range pools {
		create(t, p)
	}
	t.Cleanup(func() {
		for _, p := range pools { // all at once, before each is waited for
			_ = w.Client.Delete(context.Background(), p)
		}
	})
	for name, output := range words {
		t.Logf("%s: %s", name, output)
		eventually(t, name, "the pool to tell of the refusal", time.Minute,
			reports(v1alpha1.PoolTemplateValid, v1alpha1.ReasonAdmissionDenied, output))
	}
}

// refusalByHand makes a VM of a pool's template and returns what admission says.
func refusalByHand(t *testing.T, p *v1alpha1.NomadNodePool) string {
	t.Helper()
	facts, err := preflight.Gather(t.Context(), w.Client, p.Namespace, &p.Spec.Template, &p.Spec.Nomad.NomadClient)
	if err != nil {
		t.Fatal(err)
	}
	out, err := render.Member(blueprint.Member{
		Namespace: p.Namespace, Name: p.Name + "-by-hand", PoolName: p.Name, NodeID: "00000000-0000-4000-8000-000000000000",
		Template: p.Spec.Template,
	}, facts)
	if err != nil {
		t.Fatalf("%s: %v", p.Name, err)
	}
	err = w.Client.Create(t.Context(), out.VM, client.FieldValidation(metav1.FieldValidationStrict)) // as kubectl does
	var refusal apierrors.APIStatus
	if !errors.As(err, &refusal) {
		t.Errorf("%s: the VM was not refused: %v", p.Name, err)
		_ = w.Client.Delete(t.Context(), out.VM)
		return ""
	}
	return refusal.Status().Message
}
