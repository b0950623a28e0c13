package vm

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	kubevirtv1 "kubevirt.io/api/core/v1"
	kjson "sigs.k8s.io/json"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
	"github.com/nomad-harvester/nomad-harvester/internal/blueprint"
	"github.com/nomad-harvester/nomad-harvester/internal/jsonmerge"
)

// OverlayPath is where the overlay is in a NomadNodePool.
const OverlayPath = "spec.template.virtualMachine"

// MaxOverlay is how many bytes an overlay may have: each NomadNode has a copy, and the controller holds all of them.
// The API server can't limit a field whose inner fields it doesn't know.
const MaxOverlay = 16 << 10

// overlaid is the spec of the member's VM with the template's overlay. It fails, with one error for each field at
// fault, if the overlay doesn't decode or changes what the controller or Harvester depends on.
func overlaid(m blueprint.Member) (*kubevirtv1.VirtualMachineSpec, error) {
	base := baseSpec(m)
	over, err := DecodeOverlay(m.Template.VirtualMachine)
	if err != nil {
		return nil, err
	}
	if len(over) == 0 {
		return base, nil
	}
	merged, err := mergeSpec(base, over)
	if err != nil {
		return nil, err
	}
	return merged, errors.Join(protectedChanges(base, merged)...)
}

// overlayFields are the fields that an overlay may have. A VirtualMachineInstanceSpec has a decoder of its own, which
// accepts unknown fields. A type with the same fields and without its methods doesn't.
type overlayFields struct {
	kubevirtv1.VirtualMachineSpec `json:",inline"`
	Template                      *struct {
		Metadata metav1.ObjectMeta `json:"metadata"`
		Spec     instanceFields    `json:"spec"`
	} `json:"template"`
}

type instanceFields kubevirtv1.VirtualMachineInstanceSpec

// DecodeOverlay reads the overlay, and refuses fields that KubeVirt doesn't know.
func DecodeOverlay(raw *runtime.RawExtension) (map[string]any, error) {
	if raw != nil && len(raw.Raw) > MaxOverlay {
		return nil, fmt.Errorf("%s: it is longer than %d KiB; make it shorter", OverlayPath, MaxOverlay>>10)
	}
	if raw == nil || len(bytes.TrimSpace(raw.Raw)) == 0 {
		return nil, nil
	}
	strict, err := kjson.UnmarshalStrict(raw.Raw, &overlayFields{})
	if err != nil {
		return nil, fmt.Errorf("%s: not a KubeVirt VirtualMachineSpec: %w", OverlayPath, err)
	}
	for i := range strict {
		strict[i] = fmt.Errorf("%s: %w; see kubectl explain virtualmachine.spec for what there is", OverlayPath, strict[i])
	}
	if len(strict) > 0 {
		return nil, errors.Join(strict...)
	}
	return jsonmerge.Object(raw.Raw)
}

func mergeSpec(base *kubevirtv1.VirtualMachineSpec, over map[string]any) (*kubevirtv1.VirtualMachineSpec, error) {
	doc, err := json.Marshal(base)
	if err != nil {
		return nil, fmt.Errorf("marshalling the VM's spec: %w", err)
	}
	object, err := jsonmerge.Object(doc)
	if err != nil {
		return nil, fmt.Errorf("reading the VM's spec: %w", err)
	}
	doc, err = json.Marshal(jsonmerge.Apply(object, over))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", OverlayPath, err)
	}
	merged := &kubevirtv1.VirtualMachineSpec{}
	if err := json.Unmarshal(doc, merged); err != nil {
		return nil, fmt.Errorf("%s: %w", OverlayPath, err)
	}
	return merged, nil
}

// OverlayErrors are what is wrong with a template's overlay, an error for each field at fault. They are the same for
// every member.
func OverlayErrors(t *v1alpha1.NodeTemplate) []error {
	_, err := overlaid(blueprint.Member{Name: "member", PoolName: "pool", Template: *t})
	return each(err)
}

// each splits what errors.Join joined.
func each(err error) []error {
	var joined interface{ Unwrap() []error }
	switch {
	case err == nil:
		return nil
	case errors.As(err, &joined):
		return joined.Unwrap()
	default:
		return []error{err}
	}
}
