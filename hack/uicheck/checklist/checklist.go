// Package checklist says if a member's VM is one that Harvester could have made itself: that its UI shows right, that
// its webhooks accept, and that is safe in its maintenance and upgrades. It is pure; the tests of what is rendered
// and hack/uicheck, for a VM that runs, share it.
package checklist

import (
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	kubevirtv1 "kubevirt.io/api/core/v1"
)

// Subject is a VM with what belongs to it and what it refers to.
type Subject struct {
	VM *kubevirtv1.VirtualMachine
	// Secret is the one of the cloud-init volume; nil: there is none of this name.
	Secret *corev1.Secret
	// Namespace is the VM's; nil: only its name is known.
	Namespace *corev1.Namespace
	// PoolUID is the UID of the NomadNodePool that the pool label names; empty: there is none of this name.
	PoolUID string
	// Conditions are those of the NomadNode of the VM's name; none: there is no such NomadNode.
	Conditions []metav1.Condition
	// Images are the VirtualMachineImages of the disks, by namespace/name. What is missing doesn't exist.
	Images map[string]Image
	// Local are the storage classes whose volumes only one host can have at a time.
	Local map[string]bool
	// Filesystem are the storage classes whose volumes are file systems, by their annotation.
	Filesystem map[string]bool
	// Live is true for a VM that has gone through admission, which fills in what we leave out.
	Live bool
}

// Image is what matters of a VirtualMachineImage.
type Image struct {
	// StorageClassName is the class of volumes with this image.
	StorageClassName string
	// VirtualSize is the least size of a disk with this image, in bytes.
	VirtualSize int64
}

// Row is one demand and what became of it.
type Row struct {
	// Number is the row's place in the list, from 1.
	Number int
	// Demand is the field and how it should be.
	Demand string
	// Wrong is what is wrong; empty: nothing.
	Wrong string
}

// demand is a row to be checked. check returns what is wrong; empty: nothing.
type demand struct {
	text  string
	check func(Subject) string
}

// Check goes through the whole list.
func Check(s Subject) []Row {
	all := slices.Concat(identity, disks, machine)
	rows := make([]Row, 0, len(all))
	for i, d := range all {
		rows = append(rows, Row{Number: i + 1, Demand: d.text, Wrong: check(d, s)})
	}
	return rows
}

// check asks nothing of a VM that lacks what all the others build on.
func check(d demand, s Subject) string {
	if s.VM == nil || s.VM.Spec.Template == nil {
		return "there is no VM, or it has no spec.template"
	}
	return d.check(s)
}

// shown is a value that may be unset, for people.
func shown[T any](value *T) string {
	if value == nil {
		return "unset"
	}
	return fmt.Sprint(*value)
}

func unless(ok bool, format string, args ...any) string {
	if ok {
		return ""
	}
	return fmt.Sprintf(format, args...)
}
