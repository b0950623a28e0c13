package vm

import (
	"testing"

	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint/blueprinttest"
)

func mustRender(t *testing.T, m blueprint.Member) *kubevirtv1.VirtualMachine {
	t.Helper()
	vm, err := Render(m, blueprinttest.Facts())
	if err != nil {
		t.Fatal(err)
	}
	return vm
}
