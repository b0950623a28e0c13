package render_test

import (
	"os"
	"regexp"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/render/rendertest"
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
		m := blueprinttest.Member()
		shown := v1alpha1.NodeTemplate{}
		if err := yaml.UnmarshalStrict(block[1], &shown); err != nil {
			t.Fatal(err)
		}
		m.Template.VirtualMachine = shown.VirtualMachine
		domain := rendertest.Member(t, m, blueprinttest.Facts()).VM.Spec.Template.Spec.Domain
		if domain.Devices.TPM == nil || domain.Features.SMM == nil || domain.Firmware == nil ||
			domain.Features.ACPI.Enabled == nil {
			t.Errorf("%+v", domain)
		}
	}
}
