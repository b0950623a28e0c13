package kubevirt

import (
	"context"
	"encoding/base64"
	"fmt"
	"os/exec"
	"path/filepath"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/nomad-harvester/nomad-harvester/test/testenv/kube"
)

// Manifests are what virt-operator would install for KubeVirt in Namespace.
type Manifests struct {
	// CRDs are KubeVirt's own kinds.
	CRDs []*unstructured.Unstructured
	// RBAC holds roles, bindings and service accounts, and the priority class of KubeVirt.
	RBAC []*unstructured.Unstructured

	webhooks []*unstructured.Unstructured
}

// Generate runs kvmanifests, a small program around virt-operator's own code, and reads what it writes to dir.
func Generate(ctx context.Context, program, dir string) (*Manifests, error) {
	if out, err := exec.CommandContext(ctx, program, "-namespace", Namespace, "-out", dir).CombinedOutput(); err != nil {
		return nil, fmt.Errorf("kvmanifests: %w\n%s", err, out)
	}
	m := &Manifests{}
	var err error
	if m.CRDs, err = kube.DecodeDir(filepath.Join(dir, "crds")); err != nil {
		return nil, fmt.Errorf("kvmanifests: %w", err)
	}
	if m.RBAC, err = kube.DecodeDir(filepath.Join(dir, "rbac")); err != nil {
		return nil, fmt.Errorf("kvmanifests: %w", err)
	}
	misc, err := kube.DecodeDir(filepath.Join(dir, "misc"))
	if err != nil {
		return nil, fmt.Errorf("kvmanifests: %w", err)
	}
	for _, o := range misc {
		if o.GetKind() == "PriorityClass" { // not the Service, whose place our own takes
			m.RBAC = append(m.RBAC, o)
		}
	}
	m.webhooks, err = kube.DecodeDir(filepath.Join(dir, "webhooks"))
	return m, err
}

// registrations are the webhook configurations and APIServices, pointed to a loopback port.
func (m *Manifests) registrations(port int64, ca []byte) []*unstructured.Unstructured {
	bundle := base64.StdEncoding.EncodeToString(ca)
	point := func(clientConfig map[string]any) {
		clientConfig["caBundle"] = bundle
		if service, ok := clientConfig["service"].(map[string]any); ok {
			service["port"] = port
		}
	}
	var out []*unstructured.Unstructured
	for _, o := range m.webhooks {
		o = o.DeepCopy()
		if spec, ok := o.Object["spec"].(map[string]any); ok { // APIService
			point(spec)
		}
		webhooks, _ := o.Object["webhooks"].([]any)
		for _, w := range webhooks {
			webhook, _ := w.(map[string]any)
			if clientConfig, ok := webhook["clientConfig"].(map[string]any); ok {
				point(clientConfig)
			}
		}
		out = append(out, o)
	}
	return out
}
