package nomadtarget

import (
	"fmt"

	autoscalingv1 "k8s.io/api/autoscaling/v1"
	eventsv1 "k8s.io/api/events/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/nomad-harvester/nomad-harvester/api/v1alpha1"
)

// newClient makes a client that knows NomadNodePools and Events, and nothing else. It doesn't talk to the API server:
// the REST mapping is given, so that there is no discovery, now or later.
func newClient(config *rest.Config) (client.Client, error) {
	scheme := runtime.NewScheme()
	if err := v1alpha1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register the NomadNodePool types: %w", err)
	}
	if err := autoscalingv1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register the Scale type: %w", err)
	}
	if err := eventsv1.AddToScheme(scheme); err != nil {
		return nil, fmt.Errorf("register the Event type: %w", err)
	}
	mapper := meta.NewDefaultRESTMapper([]schema.GroupVersion{v1alpha1.GroupVersion, eventsv1.SchemeGroupVersion})
	mapper.Add(v1alpha1.GroupVersion.WithKind("NomadNodePool"), meta.RESTScopeNamespace)
	mapper.Add(eventsv1.SchemeGroupVersion.WithKind("Event"), meta.RESTScopeNamespace)

	config = rest.CopyConfig(config)
	config.UserAgent = "nomad-harvester-autoscaler"
	// Priority and fairness in the API server is the limit. client-go's own, 5 requests a second, would queue the
	// Status calls of many policies until their deadlines pass.
	config.QPS = -1
	return client.New(config, client.Options{Scheme: scheme, Mapper: mapper})
}
