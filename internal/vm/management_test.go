package vm

import (
	"strings"
	"testing"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

// The management network is to be had, but only by saying so.
func TestManagementNetwork(t *testing.T) {
	m := blueprinttest.Member()
	m.Template.Networks = []v1alpha1.Network{{Type: v1alpha1.NetworkManagement}, {Name: blueprinttest.Network}}
	spec := mustRender(t, m).Spec.Template.Spec
	nics, networks := spec.Domain.Devices.Interfaces, spec.Networks
	if len(nics) != 2 || nics[0].Masquerade == nil || nics[0].Bridge != nil || networks[0].Pod == nil ||
		networks[0].Multus != nil {
		t.Errorf("%+v %+v", nics, networks)
	}
	if nics[1].Bridge == nil || networks[1].Multus.NetworkName != blueprinttest.Network {
		t.Errorf("%+v %+v", nics, networks)
	}
	tmpl := blueprinttest.Template()
	tmpl.VirtualMachine = blueprinttest.Overlay(
		`{"template":{"spec":{"domain":{"devices":{"interfaces":[{"name":"nic-0","bridge":null,"masquerade":{}}]}}}}}`,
	)
	if errs := OverlayErrors(&tmpl); len(errs) != 1 ||
		!strings.Contains(errs[0].Error(), "set type: Management in spec.template.networks") {
		t.Errorf("the refusal doesn't say what to do: %v", errs)
	}
}
