package machine

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// Rendered is what there is of a member in Kubernetes, in the order in which it has to be made: Claims recorded, Secret
// created, VM created. The claims themselves are made by Harvester.
type Rendered struct {
	Secret *corev1.Secret
	VM     *kubevirtv1.VirtualMachine
	Claims []string
}

// InvalidError is Render's answer to a template in which Check finds problems.
type InvalidError struct {
	Problems []Problem
}

// Error joins the problems' messages.
func (e *InvalidError) Error() string {
	messages := make([]string, 0, len(e.Problems))
	for _, p := range e.Problems {
		messages = append(messages, p.Message)
	}
	return strings.Join(messages, "; ")
}

// Render makes a member's objects. The same member and the same facts give the same bytes. It fails with an InvalidError
// if Check finds a problem.
func Render(m Member, f Facts) (*Rendered, error) {
	if problems := Check(&m.Template, &m.Client, f); len(problems) > 0 {
		return nil, &InvalidError{Problems: problems}
	}
	s, err := secret(m, f)
	if err != nil {
		return nil, fmt.Errorf("rendering the Secret of %q: %w", m.Name, err)
	}
	vm, err := virtualMachine(m, f)
	if err != nil {
		return nil, fmt.Errorf("rendering the VirtualMachine of %q: %w", m.Name, err)
	}
	return &Rendered{Secret: s, VM: vm, Claims: ClaimNames(m)}, nil
}
