package machine

import (
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// What docs/harvester.md shows of a template works.
func TestDocumentedTemplates(t *testing.T) {
	text, err := os.ReadFile("../../docs/harvester.md")
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllSubmatch(text, -1)
	if len(blocks) == 0 {
		t.Fatal("no example found")
	}
	for _, block := range blocks {
		m := testMember()
		shown := v1alpha1.NodeTemplate{}
		if err := yaml.UnmarshalStrict(block[1], &shown); err != nil {
			t.Fatal(err)
		}
		m.Template.VirtualMachine = shown.VirtualMachine
		domain := mustRender(t, m, testFacts()).VM.Spec.Template.Spec.Domain
		if domain.Devices.TPM == nil || domain.Features.SMM == nil || domain.Firmware == nil || domain.Features.ACPI.Enabled == nil {
			t.Errorf("%+v", domain)
		}
	}
}
