package preflight

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/harvestertemplate/harvestertemplatetest"
)

func TestCheckOfAHarvesterTemplate(t *testing.T) {
	base := harvestertemplatetest.Resolved(t, v1alpha1.NodeTemplate{}, harvestertemplatetest.Version(t))
	for name, tt := range map[string]struct {
		from *blueprint.TemplateCloudInit
		want condition.Problem
	}{
		"gone": {nil, condition.Problem{Reason: v1alpha1.ReasonTemplateNotFound,
			Message: `spec.template.from.name: VirtualMachineTemplateVersion "default/build-1" doesn't exist; create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`}},
		"secret gone": {&blueprint.TemplateCloudInit{Problem: &condition.Problem{Reason: v1alpha1.ReasonSecretNotFound,
			Message: "x"}}, condition.Problem{Reason: v1alpha1.ReasonSecretNotFound, Message: "x"}},
		"a script": {&blueprint.TemplateCloudInit{UserData: "#!/bin/sh\n"},
			condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid,
				Message: `spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": its cloud-init: the first line is not #cloud-config, it is a script; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files; correct it in a new version`}},
		"of a member": {&blueprint.TemplateCloudInit{UserData: "#cloud-config\nwrite_files: [{path: /etc/nomad.d/nomad.hcl}]\n"}, condition.Problem{Reason: v1alpha1.ReasonTemplateInvalid,
			Message: `spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": its cloud-init: write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller; put additions into a file of another name beside it, such as /etc/nomad.d/50-site.hcl; correct it in a new version`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := blueprinttest.Facts()
			f.From = tt.from
			if diff := cmp.Diff([]condition.Problem{tt.want}, Check(base, &v1alpha1.NomadClient{}, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
