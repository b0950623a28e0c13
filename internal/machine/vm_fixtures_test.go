package machine

import (
	"testing"

	kubevirtv1 "kubevirt.io/api/core/v1"
)

func mustRenderVM(t *testing.T, m Member) *kubevirtv1.VirtualMachine {
	t.Helper()
	vm, err := virtualMachine(m, testFacts())
	if err != nil {
		t.Fatal(err)
	}
	return vm
}
