package kube

import (
	"errors"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

func TestRefusal(t *testing.T) {
	vms := schema.GroupResource{Group: "kubevirt.io", Resource: "virtualmachines"}
	for name, c := range map[string]struct {
		err    error
		reason string
	}{
		"nothing went wrong": {nil, ""},
		"a webhook's denial": {apierrors.NewForbidden(vms, "a",
			errors.New("admission webhook \"validator.harvesterhci.io\" denied the request: no")),
			v1alpha1.ReasonAdmissionDenied},
		"an invalid object": {apierrors.NewInvalid(schema.GroupKind{Kind: "VirtualMachine"}, "a", nil),
			v1alpha1.ReasonAdmissionDenied},
		"a denial as error": {errors.New("admission webhook \"x\" denied the request: no"),
			v1alpha1.ReasonAdmissionDenied},
		"a quota": {apierrors.NewForbidden(vms, "a", errors.New("exceeded quota: q")),
			v1alpha1.ReasonQuotaExceeded},
		"a quota that isn't counted yet": {apierrors.NewForbidden(vms, "a",
			errors.New("status unknown for quota: few-vms, resources: count/virtualmachines.kubevirt.io")), ""},
		"a webhook that is away": {apierrors.NewInternalError(errors.New("failed calling webhook: connection refused")), ""},
		"a timeout":              {apierrors.NewTimeoutError("slow", 1), ""},
		"a conflict":             {apierrors.NewConflict(vms, "a", errors.New("old")), ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := Refusal(c.err)
			switch {
			case p == nil && c.reason == "":
			case p == nil || p.Reason != c.reason:
				t.Errorf("got %+v, want reason %q", p, c.reason)
			case p.Message != c.err.Error():
				t.Errorf("the message isn't the server's: %q", p.Message)
			}
		})
	}
}
