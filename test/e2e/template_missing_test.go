package e2e

import (
	"testing"
	"time"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/test/world/fixtures"
	"github.com/nomad-harvester/nomad-harvester/test/world/kube"
)

const lateTemplate = `
apiVersion: harvesterhci.io/v1beta1
kind: VirtualMachineTemplate
metadata: {name: late, namespace: default}
spec: {defaultVersionId: ` + fixtures.TemplateVersion + `}
`

// A Harvester template that doesn't exist is told, and the pool heals when it appears. What it lacks can be set beside it.
func TestMissingHarvesterTemplate(t *testing.T) {
	t.Parallel()
	missing := decode(t, lateTemplate)
	create(t, newPool("no-template", 1, fromHarvester(v1alpha1.KindTemplate, "default/late"), func(p *v1alpha1.NomadNodePool) {
		p.Spec.Template.CPU = 5
	}))
	told := says(v1alpha1.PoolTemplateValid, v1alpha1.ReasonTemplateNotFound,
		"spec.template.from.name", `VirtualMachineTemplate "default/late" doesn't exist`, "create it or name another")
	eventually(t, "no-template", "the mistake to be told", 30*time.Second, told)
	nothingMade(t, "no-template")
	if err := kube.Create(t.Context(), w.Client, missing...); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no-template", "the pool to heal", 2*time.Minute, both(settled(1), from(fixtures.TemplateVersion, 5)))

	// Once it has members, the loss of its template takes none of them, and makes none outdated.
	if err := w.Client.Delete(t.Context(), missing[0]); err != nil {
		t.Fatal(err)
	}
	eventually(t, "no-template", "the loss to be told", 2*time.Minute, told)
	stays(t, "no-template", "the member stays", 3*time.Second, both(from(fixtures.TemplateVersion, 5), ordered("", 1)))
}
