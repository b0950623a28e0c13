package machine

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func TestCheckOfAHarvesterTemplate(t *testing.T) {
	base := resolved(t, v1alpha1.NodeTemplate{}, version(t))
	for name, tt := range map[string]struct {
		from *TemplateCloudInit
		want Problem
	}{
		"gone": {nil, Problem{v1alpha1.ReasonTemplateNotFound,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/build-1" doesn't exist; create it or name another, as namespace/name (kubectl get virtualmachinetemplateversions.harvesterhci.io -A)`}},
		"secret gone": {&TemplateCloudInit{Problem: &Problem{v1alpha1.ReasonSecretNotFound, "x"}}, Problem{v1alpha1.ReasonSecretNotFound, "x"}},
		"a script": {&TemplateCloudInit{UserData: "#!/bin/sh\n"}, Problem{v1alpha1.ReasonTemplateInvalid,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": its cloud-init: the first line is not #cloud-config, it is a script; only such documents can be merged with what Nomad needs: put commands under runcmd, files under write_files; correct it in a new version`}},
		"of a member": {&TemplateCloudInit{UserData: "#cloud-config\nwrite_files: [{path: /etc/nomad.d/nomad.hcl}]\n"}, Problem{v1alpha1.ReasonTemplateInvalid,
			`spec.template.from.name: VirtualMachineTemplateVersion "default/build-1": its cloud-init: write_files[0].path: /etc/nomad.d/nomad.hcl belongs to the controller; put additions into a file of another name beside it, such as /etc/nomad.d/50-site.hcl; correct it in a new version`}},
	} {
		t.Run(name, func(t *testing.T) {
			f := testFacts()
			f.From = tt.from
			if diff := cmp.Diff([]Problem{tt.want}, Check(base, &v1alpha1.NomadClient{}, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
