package main

import (
	"context"

	harvesterwebhook "github.com/harvester/harvester/pkg/webhook"
	"github.com/harvester/harvester/pkg/webhook/types"
	admissionv1 "k8s.io/api/admissionregistration/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/utils/ptr"
)

// register tells the API server to ask the webhook at address, with the rules
// and failure policies of Harvester's own registration
// (pkg/webhook/server/server.go).
func register(ctx context.Context, restConfig *rest.Config, address string, caPEM []byte, h *handlers) error {
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	at := func(path string) admissionv1.WebhookClientConfig {
		return admissionv1.WebhookClientConfig{URL: ptr.To("https://" + address + path), CABundle: caPEM}
	}
	reviews := []string{"v1", "v1beta1"}
	api := client.AdmissionregistrationV1()
	_, err = api.ValidatingWebhookConfigurations().Create(ctx, &admissionv1.ValidatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: harvesterwebhook.ValidatingWebhookName},
		Webhooks: []admissionv1.ValidatingWebhook{{
			Name:                    "validator.harvesterhci.io",
			ClientConfig:            at(validationPath),
			Rules:                   rules(h.validated),
			FailurePolicy:           ptr.To(admissionv1.Fail),
			SideEffects:             ptr.To(admissionv1.SideEffectClassNone),
			AdmissionReviewVersions: reviews,
		}},
	}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	_, err = api.MutatingWebhookConfigurations().Create(ctx, &admissionv1.MutatingWebhookConfiguration{
		ObjectMeta: metav1.ObjectMeta{Name: harvesterwebhook.MutatingWebhookName},
		Webhooks: []admissionv1.MutatingWebhook{{
			Name:                    "mutator.harvesterhci.io",
			ClientConfig:            at(mutationPath),
			Rules:                   rules(h.mutated),
			FailurePolicy:           ptr.To(admissionv1.Ignore),
			SideEffects:             ptr.To(admissionv1.SideEffectClassNone),
			AdmissionReviewVersions: reviews,
		}},
	}, metav1.CreateOptions{})
	return err
}

// unregister removes both registrations; that there are none is no error.
func unregister(ctx context.Context, restConfig *rest.Config) error {
	client, err := kubernetes.NewForConfig(restConfig)
	if err != nil {
		return err
	}
	api := client.AdmissionregistrationV1()
	err = api.ValidatingWebhookConfigurations().Delete(ctx, harvesterwebhook.ValidatingWebhookName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	err = api.MutatingWebhookConfigurations().Delete(ctx, harvesterwebhook.MutatingWebhookName, metav1.DeleteOptions{})
	if err != nil && !apierrors.IsNotFound(err) {
		return err
	}
	return nil
}

func rules(resources []types.Resource) []admissionv1.RuleWithOperations {
	out := make([]admissionv1.RuleWithOperations, 0, len(resources))
	for _, resource := range resources {
		out = append(out, admissionv1.RuleWithOperations{
			Operations: resource.OperationTypes,
			Rule: admissionv1.Rule{
				APIGroups:   []string{resource.APIGroup},
				APIVersions: []string{resource.APIVersion},
				Resources:   resource.Names,
				Scope:       ptr.To(resource.Scope),
			},
		})
	}
	return out
}
