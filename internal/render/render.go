package render

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"

	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/cloudinit"
	"github.com/nomad-harvester/nomad-harvester/internal/condition"
	"github.com/nomad-harvester/nomad-harvester/internal/preflight"
	"github.com/nomad-harvester/nomad-harvester/internal/vm"
)

// Objects are the objects of a member in Kubernetes, besides its NomadNode. The Secret has to be made before the VM.
// Harvester makes the claims, whose names follow from the NomadNode.
type Objects struct {
	Secret *corev1.Secret
	VM     *kubevirtv1.VirtualMachine
	Claims []string
}

// InvalidError is the answer to a template in which pre-flight finds problems.
type InvalidError struct {
	Problems []condition.Problem
}

// Error joins the problems' messages.
func (e *InvalidError) Error() string {
	messages := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		messages = append(messages, p.Message)
	}
	return strings.Join(messages, "; ")
}

// Member makes a member's objects. The same member and the same facts give the same bytes. It fails with an
// InvalidError if pre-flight finds a problem.
func Member(m blueprint.Member, f blueprint.Facts) (*Objects, error) {
	if problems := preflight.Check(&m.Template, &m.Client, f); len(problems) > 0 {
		return nil, &InvalidError{Problems: problems}
	}
	s, err := cloudinit.Secret(m, f)
	if err != nil {
		return nil, fmt.Errorf("rendering the Secret of %q: %w", m.Name, err)
	}
	virtualMachine, err := vm.Render(m, f)
	if err != nil {
		return nil, fmt.Errorf("rendering the VirtualMachine of %q: %w", m.Name, err)
	}
	return &Objects{Secret: s, VM: virtualMachine, Claims: blueprint.ClaimNames(m)}, nil
}
