package machine

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// The management network is to be had, but only by saying so; nothing is looked for in its place.
func TestManagementNetwork(t *testing.T) {
	m := testMember()
	m.Template.Networks = []v1alpha1.Network{{Management: true}, {Name: testNetwork}}
	spec := mustRender(t, m, testFacts()).VM.Spec.Template.Spec
	nics, networks := spec.Domain.Devices.Interfaces, spec.Networks
	if len(nics) != 2 || nics[0].Masquerade == nil || nics[0].Bridge != nil || networks[0].Pod == nil || networks[0].Multus != nil {
		t.Errorf("%+v %+v", nics, networks)
	}
	if nics[1].Bridge == nil || networks[1].Multus.NetworkName != testNetwork {
		t.Errorf("%+v %+v", nics, networks)
	}
	f, err := Gather(t.Context(), reader(t), "nomad-clients", &v1alpha1.NodeTemplate{Networks: m.Template.Networks[:1]}, &v1alpha1.NomadClient{})
	if err != nil || len(f.Networks) > 0 {
		t.Errorf("%v, %v", f.Networks, err)
	}
	if out := resolved(t, v1alpha1.NodeTemplate{Networks: m.Template.Networks}, version(t)); len(out.Networks) != 2 || !out.Networks[0].Management {
		t.Errorf("%+v", out.Networks)
	}
	tmpl, client := testTemplate(), testClient()
	tmpl.VirtualMachine = overlay(`{"template":{"spec":{"domain":{"devices":{"interfaces":[{"name":"nic-0","bridge":null,"masquerade":{}}]}}}}}`)
	if problems := Check(&tmpl, &client, testFacts()); len(problems) != 1 || !strings.Contains(problems[0].Message, "set management: true in spec.template.networks") {
		t.Errorf("the refusal doesn't say what to do: %v", problems)
	}
}
